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
export {
  Bijection,
  type Forward,
  type ForwardPart,
  type Inverse,
  type InversePart,
} from './bijection';
export { BlockAutoregressive, type BlockAutoregressiveOptions } from './blockAutoregressive';
export * from './byFeature';
export * from './chain';
export * from './conditionalAffine';
export {
  ContinuousFlow,
  type ContinuousFlowOptions,
  type FieldRegularization,
  type TraceEstimator,
} from './continuousFlow';
export * from './coupling';
export { DenseLinear, type DenseLinearOptions } from './denseLinear';
export * from './diagonalLinear';
export * from './elementwise';
export * from './elementwiseTransformer';
export type { FixedPointOptions } from './fixedPoint';
export * from './invert';
export { LinearMap, type LinearMapOptions } from './linearMap';
export type { LogDetEstimator, Probes, RouletteLength } from './logDetEstimator';
export * from './logit';
export * from './lowRankLinear';
export * from './luLinear';
export * from './maskedAutoregressive';
export * from './monotoneTransformer';
export * from './multiScale';
export type { OdeGradient, OdeSolver } from './odeSolve';
export { OrthogonalLinear, type OrthogonalLinearOptions } from './orthogonalLinear';
export * from './periodicConv';
export * from './permutation';
export { Planar, type PlanarOptions } from './planar';
export * from './qrLinear';
export { Radial, type RadialOptions } from './radial';
export * from './residualBlock';
export { RotationLinear, type RotationLinearOptions } from './rotationLinear';
export * from './solve';
export * from './splineTransformer';
export * from './squeeze';
export * from './svdLinear';
export { Sylvester, type SylvesterBasis, type SylvesterOptions } from './sylvester';
export * from './transformer';
export * from './triangularLinear';
export { type UmnnOptions, UmnnTransformer } from './umnnTransformer';
