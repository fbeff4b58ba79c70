/** Invertible maps of rows with their log-determinants: a file a map. */

export type { ActivationMemory } from './activations';
export * from './actNorm';
export * from './affine';
export {
  AffineCoupling,
  type AffineCouplingOptions,
  type CouplingScaleOption,
  type CouplingSplit,
  conditionerSizes,
} from './affineCoupling';
export { Autoregressive, type AutoregressiveOptions } from './autoregressive';
export * from './autoregressiveConv';
export * from './batchNorm';
export * from './bijection';
export { BlockAutoregressive, type BlockAutoregressiveOptions } from './blockAutoregressive';
export * from './byFeature';
export * from './chain';
export * from './conditionalAffine';
export * from './continuousFlow';
export * from './coupling';
export { DenseLinear, type DenseLinearOptions } from './denseLinear';
export * from './diagonalLinear';
export * from './elementwise';
export * from './elementwiseTransformer';
export type { FixedPointOptions } from './fixedPoint';
export * from './invert';
export * from './linearMap';
export type { LogDetEstimator, Probes, RouletteLength } from './logDetEstimator';
export * from './logit';
export * from './lowRankLinear';
export * from './luLinear';
export * from './maskedAutoregressive';
export * from './monotoneTransformer';
export * from './multiScale';
export type { OdeGradient, OdeSolver } from './odeSolve';
export * from './orthogonalLinear';
export * from './periodicConv';
export * from './permutation';
export * from './planar';
export * from './qrLinear';
export * from './radial';
export * from './residualBlock';
export { RotationLinear, type RotationLinearOptions } from './rotationLinear';
export * from './solve';
export * from './splineTransformer';
export * from './squeeze';
export * from './svdLinear';
export * from './sylvester';
export * from './transformer';
export * from './triangularLinear';
export { type UmnnOptions, UmnnTransformer } from './umnnTransformer';
