/** Modules with named parameters: layers, networks, conditioners. */

export * from './batchNormLayer';
export * from './besideContext';
export * from './conditioner';
export * from './conv2d';
export * from './convCoder';
export * from './convNet';
export {
  type DegreeRule,
  extentsOver,
  hiddenDegrees,
  inputDegrees,
  repeatDegrees,
} from './degrees';
export { type Derivation, Derived } from './derived';
export { FeatureOrder, type OrderRule, orderOf } from './featureOrder';
export * from './linear';
export * from './lipschitzNet';
export { Made, type MadeOptions } from './made';
export { Mlp, type MlpOptions } from './mlp';
export * from './module';
export * from './orthogonal';
export { type AmortizationOptions, ParameterNet } from './parameterNet';
export * from './registry';
export * from './residualConvNet';
export * from './singleConv';
export * from './spectral';
export {
  type FieldActivation,
  type FieldTime,
  VectorField,
  type VectorFieldOptions,
} from './vectorField';
export * from './waveNetwork';
