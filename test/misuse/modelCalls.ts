/** Right calls of networks, bijections, distributions, recipes and models. */
import {
  ContinuousFlow,
  Invert,
  Logit,
  MaskedAutoregressive,
  MonotoneTransformer,
  Permutation,
  SplineTransformer,
} from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { maf } from '../../lib/flows';
import { PixelCnn, vae, WaveNet } from '../../lib/models';
import { ConvNet, Linear, LipschitzNet, Made, Mlp, VectorField } from '../../lib/nn';
import { RandomStream } from '../../lib/ops';
import { tensor } from '../../lib/tensor/create';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Arguments } from './calls';

const t = (rows: number, cols: number): Tensor =>
  tensor(
    Float32Array.from({ length: rows * cols }, (_, i) => 0.1 + ((i * 7) % 11) / 20),
    { shape: [rows, cols] },
  );
const stream = () => new RandomStream(1);
const image = { height: 2, width: 2, channels: 1 };
const bigger = { height: 4, width: 4, channels: 1 };
const halves = { kind: 'columns', transformed: 'second' };
const table = { features: 2, hidden: [4], seed: 1 };
const small = { ...table, transforms: 1 };
const linear = { channels: 2, positions: 1, bias: true };

export const layers: Readonly<Record<string, Arguments>> = {
  BatchNormLayer: () => [{ channels: 2 }],
  BesideContext: () => [
    { network: new Mlp({ inputs: 3, outputs: 2, hidden: [4] }), contextChannels: 1 },
  ],
  Conv2d: () => [{ height: 2, width: 2, kernel: [3, 3], inputs: 1, outputs: 2 }, stream()],
  ConvEncoder: () => [{ image: bigger, channels: [2], hidden: 4, outputs: 2 }],
  ConvDecoder: () => [{ image: bigger, channels: [2], hidden: 4, inputs: 2 }],
  ConvNet: () => [{ image, inputs: 1, outputs: 2, hidden: 4 }],
  FeatureOrder: () => ['random', 3, 1],
  Linear: () => [2, 3, {}, stream()],
  MaskedLinear: () => [2, Int32Array.of(1, 2, 2), {}, stream()],
  LipschitzNet: () => [{ channels: 2, hidden: [4] }],
  Made: () => [{ features: 2, hidden: [4], outputsPerFeature: 2 }],
  Mlp: () => [{ inputs: 2, outputs: 2, hidden: [4] }],
  ParameterNet: () => [Float64Array.of(1, 2), { contextFeatures: 0 }],
  ResidualConvNet: () => [{ image, inputs: 1, outputs: 2, hidden: 4, blocks: 1 }],
  SingleConv: () => [{ image, inputs: 1, outputs: 2 }],
  VectorField: () => [{ features: 2, hidden: [4] }],
  WaveNetwork: () => [{ outputs: 2, layers: 1, stacks: 1, hidden: 4 }],
  WaveCondition: () => [{ frames: 1, hop: 2, global: 0, outputs: 2 }],
};

export const bijections: Readonly<Record<string, Arguments>> = {
  ActNorm: () => [{ channels: 2 }],
  Affine: () => [{ logScale: [0, 0.1], shift: [0, 1] }],
  AffineCoupling: () => [
    { channels: 2, split: halves, conditioner: new Mlp({ inputs: 1, outputs: 2, hidden: [4] }) },
  ],
  Autoregressive: () => [{ ...table, transformer: new SplineTransformer() }],
  AutoregressiveConv: () => [{ image, kernel: 3 }],
  BatchNorm: () => [{ features: 2 }],
  BlockAutoregressive: () => [{ features: 2, hidden: [4] }],
  Chain: () => [[Permutation.reverse(2)], 2],
  ConditionalAffine: () => [{ channels: 2 }],
  ContinuousFlow: () => [{ field: new VectorField({ features: 2, hidden: [4] }) }],
  Coupling: () => [
    {
      channels: 2,
      split: halves,
      transformer: new MonotoneTransformer({ kind: 'dsf', hidden: 2 }),
      conditioner: new Mlp({ inputs: 1, outputs: 6, hidden: [4] }),
    },
  ],
  DenseLinear: () => [linear],
  DiagonalLinear: () => [linear],
  Elementwise: () => [{ features: 2, map: 'tanh' }],
  ElementwiseTransformer: () => [{ features: 2, transformer: new SplineTransformer() }],
  Invert: () => [Permutation.reverse(2)],
  Logit: () => [2, 1e-6],
  LowRankLinear: () => [{ ...linear, rank: 1 }],
  LuLinear: () => [linear],
  MaskedAutoregressive: () => [table],
  MonotoneTransformer: () => [{ kind: 'dsf', hidden: 2 }],
  MultiScale: () => [
    [
      { bijection: Permutation.reverse(4), channels: 2 },
      { bijection: Permutation.reverse(2), channels: 1 },
    ],
  ],
  OrthogonalLinear: () => [linear],
  PeriodicConv: () => [{ image, kernel: 1 }],
  Permutation: () => [[1, 0]],
  'Permutation.reverse': () => [Permutation, 2],
  'Permutation.random': () => [Permutation, 2, 1],
  Planar: () => [{ features: 2 }],
  QrLinear: () => [linear],
  Radial: () => [{ features: 2 }],
  ResidualBlock: () => [{ network: new LipschitzNet({ channels: 2, hidden: [4] }) }],
  RotationLinear: () => [linear],
  SplineTransformer: () => [{ bins: 4 }],
  Squeeze: () => [image],
  SvdLinear: () => [linear],
  Sylvester: () => [{ features: 2 }],
  TriangularLinear: () => [linear],
  UmnnTransformer: () => [{ hidden: [4] }],
  emergingConv: () => [{ image, kernel: 3 }],
  squeezed: () => [image],
  conditionerSizes: () => [2, halves],
  couplingSizes: () => [2, halves, new SplineTransformer()],
};

export const distributions: Readonly<Record<string, Arguments>> = {
  DiagonalNormal: () => [2, 'float32'],
  GaussianMixture: () => [2, 3, 'float32', 1],
  Resampled: () => [{ features: 2, hidden: [4] }],
  StandardNormal: () => [2, 'float32'],
  StandardLogistic: () => [2, 'float32'],
  Uniform: () => [2, 0, 1, 'float32'],
  StudentT: () => [{ features: 2, degrees: 4 }],
};

export const recipes: Readonly<Record<string, Arguments>> = {
  maf: () => [small],
  iaf: () => [small],
  made: () => [table],
  naf: () => [small],
  sosFlow: () => [small],
  bernsteinFlow: () => [small],
  umnn: () => [{ ...small, integrand: [4] }],
  transformerFlow: () => [small, () => new SplineTransformer(), 'here'],
  blockNaf: () => [{ features: 2, hidden: [4], transforms: 1 }],
  ffjord: () => [{ features: 2, hidden: [4], transforms: 1 }],
  realnvp: () => [small],
  nice: () => [small],
  planar: () => [{ features: 2, transforms: 1 }],
  radial: () => [{ features: 2, transforms: 1 }],
  sylvester: () => [{ features: 2, transforms: 1 }],
  flowpp: () => [small],
  flowppImage: () => [{ image: bigger, scales: 1, transforms: 1, blocks: 1, hidden: 4 }],
  glow: () => [{ image: bigger, scales: 1, transforms: 1, hidden: 4 }],
  realnvpImage: () => [{ image: bigger, scales: 1, blocks: 1, hidden: 4 }],
  residualFlow: () => [{ features: 2, transforms: 1, hidden: [4] }],
  residualFlowImage: () => [{ image: bigger, scales: 1, transforms: 1, hidden: 4 }],
  nsf: () => [small],
  nsfAutoregressive: () => [small],
  Flow: () => [{ base: new StandardNormal(2), bijection: Permutation.reverse(2) }],
};

const flow = () => maf({ ...small, contextFeatures: 1 });
const pixels = { image: { height: 2, width: 2, channels: 1 }, hidden: 4, layers: 1, head: 4 };

export const models: Readonly<Record<string, Arguments>> = {
  BernoulliMade: () => [{ ...table, masks: 2 }],
  PixelCnn: () => [pixels],
  PixelRnn: () => [pixels],
  BernoulliLikelihood: () => [2],
  NormalLikelihood: () => [2, {}],
  LogisticMixtureLikelihood: () => [{ features: 2, components: 2 }],
  iafPosterior: () => [{ latents: 2, contextFeatures: 1, hidden: [4] }],
  finitePosterior: () => [{ kind: 'planar', latents: 2, contextFeatures: 1, hidden: [4] }],
  mafPrior: () => [{ latents: 2, hidden: [4] }],
  vae: () => [{ features: 2, latents: 1, hidden: [4] }],
  WaveNet: () => [{ length: 4, layers: 1, stacks: 1, hidden: 4 }],
  ParallelWaveNet: () => [{ length: 4, layers: 1, stacks: [1], hidden: 4 }],
  'Flow#logProb': () => [flow(), t(3, 2), t(3, 1), {}],
  'Flow#sample': () => [flow(), 3, { context: [[1]], seed: 1 }],
  'Flow#forward': () => [flow(), t(3, 2), t(3, 1)],
  'Flow#inverse': () => [flow(), t(3, 2), t(3, 1)],
  'Flow#bitsPerDim': () => [flow(), -3],
  'Flow#quantize': () => [flow(), t(3, 2)],
  'Vae#logProb': () => [vae({ features: 2, latents: 1, hidden: [4] }), t(3, 2), null, {}],
  'Vae#sample': () => [vae({ features: 2, latents: 1, hidden: [4] }), 3, {}],
  'Vae#encode': () => [vae({ features: 2, latents: 1, hidden: [4] }), t(3, 2), null, {}],
  'Vae#decode': () => [vae({ features: 2, latents: 1, hidden: [4] }), t(3, 1), null],
  'Vae#reconstruct': () => [vae({ features: 2, latents: 1, hidden: [4] }), t(3, 2), null, {}],
  'PixelCnn#sample': () => [new PixelCnn(pixels), 2, {}],
  'PixelCnn#logProb': () => [new PixelCnn(pixels), t(3, 4), null, {}],
  'WaveNet#sample': () => [new WaveNet({ length: 4, layers: 1, stacks: 1, hidden: 4 }), 2, {}],
  'Made#apply': () => [new Made({ features: 2, hidden: [4], outputsPerFeature: 2 }), t(3, 2), null],
  'Mlp#apply': () => [new Mlp({ inputs: 2, outputs: 2, hidden: [4] }), t(3, 2), null],
  'ConvNet#apply': () => [new ConvNet({ image, inputs: 1, outputs: 2, hidden: 4 }), t(4, 1), null],
  'Linear#apply': () => [new Linear(2, 3, {}, null), t(3, 2), null],
  'Logit#forward': () => [new Logit(2), t(3, 2), null],
  'Logit#inverse': () => [new Logit(2), t(3, 2), null],
  'MaskedAutoregressive#forward': () => [
    new MaskedAutoregressive({ ...table, contextFeatures: 1 }),
    t(3, 2),
    t(3, 1),
  ],
  'MaskedAutoregressive#inverse': () => [
    new MaskedAutoregressive({ ...table, contextFeatures: 1 }),
    t(3, 2),
    t(3, 1),
  ],
  'Invert#forward': () => [new Invert(new MaskedAutoregressive(table)), t(3, 2), null],
  'ContinuousFlow#path': () => [
    new ContinuousFlow({ field: new VectorField({ features: 2, hidden: [4] }) }),
    t(3, 2),
    [0, 1],
    null,
    'noise',
  ],
  'StandardNormal#logProb': () => [new StandardNormal(2), t(3, 2), null],
  'StandardNormal#sample': () => [new StandardNormal(2), 3, stream(), 1],
};

export const modelCalls: Readonly<Record<string, Arguments>> = {
  ...layers,
  ...bijections,
  ...distributions,
  ...recipes,
  ...models,
};
