/** Flows, their recipes, and what is done with a flow: inpainting, walks in latent space. */

export {
  type AutoregressiveFlowOptions,
  iaf,
  type MafOptions,
  made,
  maf,
  transformerFlow,
} from './autoregressive';
export * from './blockNaf';
export * from './continuous';
export { type NiceOptions, nice, type RealNvpOptions, realnvp } from './coupling';
export * from './density';
export * from './finite';
export { Flow, type SamplingFlow, type ScoringFlow } from './flow';
export type { Dequantization, FlowParts, LogProbOptions, SampleOptions } from './flowParts';
export * from './flowpp';
export * from './glow';
export * from './inpaint';
export * from './latent';
export * from './monotone';
export * from './realnvpImage';
export * from './residual';
export * from './spline';
export * from './umnn';
