export * from './autoregressive';
export * from './flow';
