/** The ops. No logic here. */
export { affineScalar } from './affineScalar';
export { add, div, greaterEqual, maximum, minimum, mul, sub } from './binary';
export { columns, concatColumns } from './columns';
export { fillInPlace, full, ones, zeros } from './fill';
export { gatherColumns } from './gatherColumns';
export { type GatherOptions, gatherRows } from './gatherRows';
export { logSumExp, max } from './reduce';
export { cast, clone, contiguous, reshape } from './reshape';
export { type Axis, expand, mean, type ReduceOptions, sum, sumTo } from './sum';
export {
  abs,
  clamp,
  cos,
  elu,
  erf,
  exp,
  expm1,
  floor,
  leakyRelu,
  log,
  log1p,
  logSigmoid,
  neg,
  reciprocal,
  relu,
  sigmoid,
  sign,
  sin,
  softplus,
  sqrt,
  square,
  tanh,
  type UnaryKind,
  unary,
} from './unary';
export { where } from './where';
