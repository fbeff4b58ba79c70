/** The public names. */

export { valueAndGradient } from './autograd/gradient';
export * from './bijections';
export * from './data';
export * from './distributions';
export type { DType, FloatDType, TypedArray } from './dtype';
export { FlowError, type FlowErrorCode, isFlowError } from './errors';
export * from './flows';
export { readSafetensors, type Safetensors, type SafetensorsTensor, writeSafetensors } from './io';
export * from './models';
export * from './nn';
export * from './ops';
export * from './plot';
export * from './runtime';
export * from './tensor/create';
export { allowTf32, type Device, onDevice, setDevice } from './tensor/device';
export type { Rows } from './tensor/input';
export { type Program, record } from './tensor/program';
export { keep, scope } from './tensor/scope';
export { Tensor } from './tensor/tensor';
export * from './train';
// The optimizers that `fit` takes, not the ops of the same names that they run.
export { type AdamOptions, adam, type SgdOptions, sgd } from './train';
