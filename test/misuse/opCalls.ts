/** Right calls of the ops. */

import { Made } from '../../lib/nn';
import { RandomStream } from '../../lib/ops';
import { tensor } from '../../lib/tensor/create';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Arguments } from './calls';

const t = (...shape: number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => 0.1 + ((i * 7) % 11) / 20),
    { shape },
  );
};
const whole = (...values: number[]) => tensor(Int32Array.from(values));
const f64 = (...values: number[]) => tensor(Float64Array.from(values));
const one = (): readonly unknown[] => [t(2, 4)];
const image = { height: 2, width: 2, channels: 1 };
const stream = () => new RandomStream(1);
const triangles = () => ({
  factors: tensor([
    [1, 0.2],
    [0.3, 1],
  ]),
  logScale: tensor([0.1, -0.2]),
  sign: tensor([1, -1]),
  rows: whole(1, 0),
});
const made = (outputsPerFeature = 2) =>
  new Made({ features: 2, hidden: [4], outputsPerFeature, zeroInitialized: false });
const waveLayer = () => ({
  dilation: 1,
  weight: t(4, 2),
  bias: t(4),
  outputWeight: t(3, 2),
  outputBias: t(3),
});

const unary = [
  'abs',
  'asinh',
  'cos',
  'elu',
  'erf',
  'exp',
  'expm1',
  'floor',
  'leakyRelu',
  'log',
  'log1p',
  'logSigmoid',
  'neg',
  'normalCdf',
  'normalQuantile',
  'reciprocal',
  'relu',
  'sigmoid',
  'sign',
  'sin',
  'softplus',
  'sqrt',
  'square',
  'tanh',
  'batchNormless',
  'columnMoments',
  'gatedActivation',
  'logisticLogProb',
  'normalLogProb',
  'clone',
  'contiguous',
  'logSumExp',
  'max',
  'mean',
  'sum',
  'rowNorms',
].filter((name) => name !== 'batchNormless');
const binary = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'greaterEqual'];

export const opCalls: Readonly<Record<string, Arguments>> = {
  ...Object.fromEntries(unary.map((name) => [name, one])),
  ...Object.fromEntries(binary.map((name) => [name, () => [t(2, 4), t(2, 4)]])),
  activate: () => [t(2, 4), 'relu'],
  isActivation: () => ['relu'],
  activationSlope: () => [t(2, 4), 'tanh'],
  isSmoothActivation: () => ['tanh'],
  makeAdamState: () => [{ lr: 0.1 }],
  makeSgdState: () => [{ lr: 0.1 }],
  addAll: () => [[t(2, 4), t(2, 4)]],
  affineCoupling: () => [t(2, 4), t(2, 4), { scale: { kind: 'exp' } }],
  affineCouplingInverse: () => [t(2, 4), t(2, 4), { scale: { kind: 'exp' } }],
  checkCouplingScale: () => ['here', { kind: 'exp' }],
  affineScalar: () => [t(2, 4), 2, 1],
  autoregressiveAffine: () => [t(2, 4), t(2, 8), {}],
  autoregressiveAffineInverse: () => [t(2, 4), t(2, 8), {}],
  batchInverse: () => [
    tensor([
      [1, 2],
      [3, 1],
    ]),
  ],
  batchLogAbsDet: () => [
    tensor([
      [1, 2],
      [3, 1],
    ]),
  ],
  batchNormFixed: () => [
    t(2, 4),
    { mean: f64(1, 2, 3, 4), variance: f64(1, 2, 3, 4) },
    t(4),
    t(4),
    1e-5,
  ],
  batchNormTrain: () => [t(2, 4), t(4), t(4), 1e-5],
  blockInverse: () => [t(2, 2), [{ weight: t(2, 2), bias: t(2) }], t(1)],
  blockMatmul: () => [t(4, 2), t(2, 2), 2, {}],
  channelAffine: () => [t(2, 4), t(4), t(4), 1],
  channelAffineInverse: () => [t(2, 4), t(4), t(4), 1],
  checkerboard: () => [t(4, 1), image, 0],
  checkFinite: () => [[t(2, 4)]],
  clip: () => [f64(1), f64(1), [t(2, 4)]],
  columns: () => [t(2, 4), 1, 3],
  concatColumns: () => [[t(2, 4), t(2, 1)]],
  splitColumns: () => [t(2, 4), [1, 3]],
  conv2d: () => [t(4, 1), t(1, 9), t(1), { height: 2, width: 2, kernel: [3, 3] }],
  rasterTaps: () => [[3, 3], { self: true }],
  convStack: () => [
    t(4, 1),
    [{ height: 2, width: 2, kernel: [3, 3], weight: t(1, 9), bias: t(1), activation: 'relu' }],
    {},
  ],
  bernoulliSample: () => [t(2, 4), t(2, 4)],
  bernoulliLogProb: () => [t(2, 4), t(2, 4)],
  categoricalLogProb: () => [t(2, 4), tensor([[1], [2]]), {}],
  categoricalSample: () => [t(2, 4), t(2, 1)],
  discretizedLogisticMixtureLogProb: () => [t(2, 3), tensor([[1], [2]]), { levels: 4 }],
  discretizedLogisticMixtureSample: () => [t(2, 3), t(2, 2), { levels: 4 }],
  logisticMixtureColumns: () => [2, 3],
  ema: () => [f64(0.9), [t(2)], [t(2)]],
  fillInPlace: () => [t(2, 4), 1],
  full: () => [[2, 3], 1, 'float32'],
  ones: () => [[2, 3], 'float32'],
  zeros: () => [[2, 3], 'float32'],
  gatherColumns: () => [t(2, 4), whole(1, 0)],
  permuteColumns: () => [t(2, 2), whole(1, 0), whole(1, 0)],
  gatherRows: () => [t(2, 4), whole(1, 0), {}],
  gradNorm: () => [[t(2, 4)]],
  householder: () => [t(2, 4), t(2, 4), {}],
  linear: () => [t(2, 4), t(3, 4), t(3), {}],
  logScaleOf: () => [t(2, 4), { kind: 'tanh', bound: 2 }],
  luCompose: () => [triangles()],
  luComposeAll: () => [[triangles()]],
  luInverseAll: () => [[triangles()]],
  luSolve: () => [t(3, 2), triangles(), {}],
  luFactor: () => [
    tensor([
      [1, 2],
      [3, 1],
    ]),
  ],
  madeInverse: () => [t(2, 2), made(), null, {}],
  madeMonotoneInverse: () => [t(2, 2), made(9), null, { kind: 'dsf', hidden: 3 }],
  madeSplineInverse: () => [t(2, 2), made(23), null, {}],
  maskedLinear: () => [t(2, 4), t(3, 4), t(3), { extents: whole(1, 2, 3) }],
  maskedLinearGradInput: () => [t(2, 3), t(3, 4), whole(1, 2, 3)],
  maskedLinearGradWeight: () => [t(2, 3), t(2, 4), whole(1, 2, 3)],
  matmul: () => [t(2, 4), t(4, 3), {}],
  mlp: () => [
    t(2, 4),
    [
      { weight: t(3, 4), bias: t(3) },
      { weight: t(2, 3), bias: t(2) },
    ],
    { activation: 'relu' },
  ],
  monotone: () => [t(2, 4), t(2, 36), { kind: 'dsf', hidden: 3 }],
  monotoneInverse: () => [t(2, 4), t(2, 36), { kind: 'dsf', hidden: 3 }],
  monotoneParams: () => [{ kind: 'dsf', hidden: 3 }],
  cast: () => [t(2, 4), 'float64'],
  reshape: () => [t(2, 4), [4, 2]],
  concatRows: () => [[t(2, 4), t(1, 4)]],
  copyInto: () => [t(2, 4), t(2, 4)],
  rowsView: () => [t(2, 4), 0, 1],
  scaleWeights: () => [[{ weight: t(3, 4), bias: t(3), logScale: t(3), gain: null }]],
  spatialLstm: () => [t(4, 8), t(8, 6), { height: 2, width: 2, direction: 'down' }],
  spatialLstmTaps: () => ['down'],
  spatialLstmWidth: () => ['down'],
  spline: () => [t(2, 4), t(2, 92), {}],
  splineInverse: () => [t(2, 4), t(2, 92), {}],
  splineParameters: () => [{ bins: 8 }],
  splineSettings: () => ['here', { bins: 8 }],
  squeeze: () => [t(2, 4), image],
  unsqueeze: () => [t(2, 4), image],
  stftPower: () => [t(2, 16), { window: 8 }],
  expand: () => [t(1, 4), [2, 4]],
  sumTo: () => [t(2, 4), [1, 4]],
  sylvesterMap: () => [t(2, 3), t(2, 18)],
  triangularSolve: () => [t(3, 3), t(2, 3), { lower: true }],
  clamp: () => [t(2, 4), 0, 1],
  unary: () => ['exp', t(2, 4)],
  uniformLogProb: () => [t(2, 4), 0, 1],
  waveStack: () => [t(4, 1), [waveLayer()], { length: 4 }],
  weightNorm: () => [t(3, 4), t(3)],
  where: () => [tensor([[1, 0]]), t(1, 2), t(1, 2)],
  RandomStream: () => [1],
  'RandomStream.normal': () => [stream(), [2, 3], 'float32'],
  'RandomStream.uniform': () => [stream(), [2, 3], 'float32'],
  'RandomStream.uniformArray': () => [stream(), 3],
  'RandomStream.bernoulli': () => [stream(), t(2, 4)],
  'RandomStream.permutation': () => [stream(), 3],
};
