export * from './autoregressive';
export * from './density';
export * from './flow';
