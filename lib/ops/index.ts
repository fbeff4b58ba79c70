/** The ops. No logic here. */

export { type Activation, activate, isActivation } from './activation';
export {
  type ActivationSlope,
  activationSlope,
  isSmoothActivation,
  type SmoothActivation,
} from './activationSlope';
export {
  type AdamOperands,
  type AdamOptions,
  adam,
  adamState,
  makeAdamState,
} from './adam';
export { addAll } from './addAll';
export { affineCoupling } from './affineCoupling';
export { type CouplingOptions, type CouplingScale, checkCouplingScale } from './affineCouplingGrad';
export { affineCouplingInverse } from './affineCouplingInverse';
export { affineScalar } from './affineScalar';
export { autoregressiveAffine } from './autoregressiveAffine';
export type { AutoregressiveScale } from './autoregressiveAffineGrad';
export { autoregressiveAffineInverse } from './autoregressiveAffineInverse';
export { batchInverse, batchLogAbsDet } from './batchInverse';
export {
  type BatchNormResult,
  batchNormFixed,
  batchNormTrain,
  columnMoments,
  type Moments,
} from './batchNorm';
export { add, div, greaterEqual, maximum, minimum, mul, sub } from './binary';
export { type BlockLayer, blockInverse } from './blockInverse';
export { blockMatmul } from './blockMatmul';
export { type ChannelAffineResult, channelAffine, channelAffineInverse } from './channelAffine';
export { checkerboard } from './checkerboard';
export { checkFinite } from './checkFinite';
export { clip } from './clip';
export { columns, concatColumns, splitColumns } from './columns';
export { type Conv2dOptions, conv2d } from './conv2d';
export { type ConvGeometry, type ConvPadding, rasterTaps } from './conv2dGeometry';
export {
  type ConvStackLayer,
  type ConvStackOptions,
  convStack,
} from './convStack';
export {
  bernoulliSample,
  categoricalLogProb,
  categoricalSample,
  discretizedLogisticMixtureLogProb,
  discretizedLogisticMixtureSample,
  type LogisticMixtureOptions,
  logisticMixtureColumns,
  type PositionsOptions,
} from './discrete';
export { ema } from './ema';
export { fillInPlace, full, ones, zeros } from './fill';
export { gatedActivation } from './gatedActivation';
export { gatherColumns, permuteColumns } from './gatherColumns';
export { type GatherOptions, gatherRows } from './gatherRows';
export { gradNorm } from './gradNorm';
export { householder } from './householder';
export { type LinearOptions, linear } from './linear';
export { bernoulliLogProb, logisticLogProb, normalLogProb } from './logProb';
export { logScaleOf } from './logScale';
export {
  type LuComposed,
  type LuForm,
  type LuTriangles,
  luCompose,
  luComposeAll,
} from './luCompose';
export { conditionNumber, type LuFactors, luFactor, luFactorSolve } from './luFactor';
export { luInverseAll, luInverseChannels } from './luInverse';
export { type LuMethod, type LuSolveOptions, luSolve } from './luSolve';
export { type MadeLayer, type MadeNetwork, madeInverse } from './madeInverse';
export { madeMonotoneInverse } from './madeMonotoneInverse';
export { madeSplineInverse } from './madeSplineInverse';
export { fitsUmnn, type Integrand, madeUmnnInverse } from './madeUmnnInverse';
export { type MaskedLinearOptions, maskedLinear } from './maskedLinear';
export { maskedLinearGradInput } from './maskedLinearGradInput';
export { maskedLinearGradWeight } from './maskedLinearGradWeight';
export { type MatmulOptions, matmul } from './matmul';
export { type MlpLayer, mlp } from './mlp';
export { monotone } from './monotone';
export { type MonotoneFamily, monotoneParams } from './monotoneFamily';
export { type MonotoneRoots, monotoneInverse } from './monotoneInverse';
export { type PixelDraw, pixelSample } from './pixelSample';
export { RandomStream } from './random';
export { logSumExp, max } from './reduce';
export { cast, clone, contiguous, reshape } from './reshape';
export { type ResidualSeries, residualSeries, type SeriesLayer } from './residualSeries';
export { concatRows, copyInto, rowsView } from './rows';
export { type ScaledLayer, type ScaledWeights, scaleWeights } from './scaleWeights';
export { makeSgdState, type SgdOperands, sgd, sgdState } from './sgd';
export {
  type SpatialDirection,
  type SpatialLstmOptions,
  spatialLstm,
  spatialLstmTaps,
  spatialLstmWidth,
} from './spatialLstm';
export {
  type SplineKind,
  type SplineOptions,
  type SplineTails,
  spline,
  splineInverse,
  splineParameters,
  splineSettings,
} from './spline';
export { squeeze, unsqueeze } from './squeeze';
export { type StftOptions, stftPower } from './stft';
export { type Axis, expand, mean, type ReduceOptions, sum, sumTo } from './sum';
export { sylvesterMap, sylvesterMapInverse } from './sylvester';
export { type TriangularSolveOptions, triangularSolve } from './triangularSolve';
export {
  abs,
  asinh,
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
  normalCdf,
  normalQuantile,
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
export { uniformLogProb } from './uniformLogProb';
export { type WavefrontOptions, wavefrontSolve } from './wavefrontSolve';
export {
  type WaveGenerateOptions,
  type WaveNetworkTensors,
  type WaveSampleKind,
  waveGenerate,
} from './waveGenerate';
export { type WaveStackLayer, type WaveStackOptions, waveStack } from './waveStack';
export { rowNorms, weightNorm } from './weightNorm';
export { where } from './where';
