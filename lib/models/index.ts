/** Densities that are no flows of numbers: of bits, integers, pixels and sound, and autoencoders. */

export * from './bernoulliMade';
export * from './dequantizedFlow';
export * from './generative';
export * from './pixelCnn';
export * from './pixelLikelihood';
export {
  type PixelConvOptions,
  PixelModel,
  type PixelModelOptions,
  type PixelSampleOptions,
} from './pixelModel';
export * from './pixelRnn';
export * from './vae';
export * from './variationalDequantization';
export * from './wave';
