export * from './conditioner';
export * from './degrees';
export * from './featureOrder';
export * from './linear';
export * from './made';
export * from './mlp';
export * from './module';
export * from './registry';
