/**
 * One row a bijection: the contract (contract.test.ts) and the save/load test take all of them.
 * Add a row for each new bijection; every row needs parameters that are random, signed and far from the identity.
 */
import {
  ActNorm,
  Affine,
  AffineCoupling,
  Autoregressive,
  AutoregressiveConv,
  BatchNorm,
  type Bijection,
  Chain,
  ConditionalAffine,
  ContinuousFlow,
  type ContinuousFlowOptions,
  Coupling,
  type CouplingScaleOption,
  type CouplingSplit,
  conditionerSizes,
  couplingSizes,
  DenseLinear,
  DiagonalLinear,
  Elementwise,
  type ElementwiseMap,
  ElementwiseTransformer,
  emergingConv,
  Invert,
  Logit,
  LowRankLinear,
  LuLinear,
  MaskedAutoregressive,
  MultiScale,
  OrthogonalLinear,
  PeriodicConv,
  Permutation,
  Planar,
  QrLinear,
  Radial,
  ResidualBlock,
  type ResidualBlockOptions,
  RotationLinear,
  SplineTransformer,
  Squeeze,
  SvdLinear,
  Sylvester,
  TriangularLinear,
} from '../../lib/bijections';
import type { FloatDType } from '../../lib/dtype';
import { glow } from '../../lib/flows';
import {
  ConvNet,
  type ConvNetOptions,
  LipschitzNet,
  type LipschitzNetOptions,
  Mlp,
  type MlpOptions,
  type Module,
  ResidualConvNet,
  VectorField,
  type VectorFieldOptions,
} from '../../lib/nn';
import { SpectralLayer } from '../../lib/nn/spectral';
import { fixture } from '../reference/close';
import { transformerCases } from './transformerCases';

export interface BijectionCase {
  readonly name: string;
  make(dtype: FloatDType): Bijection;
  /** Columns that the case is tried with. */
  readonly features: number;
  readonly contextFeatures?: number;
  /** Whether x must lie in (0, 1), or away from 0 by ½, where the map has a kink; default the real line. */
  readonly domain?: 'real' | 'unit' | 'signed';
  /** y sees only the x before: ∂y_i/∂x_j is exactly zero for j after i in this order. */
  readonly autoregressive?: boolean;
  /** log-det is zero by construction. */
  readonly volumePreserving?: boolean;
  /** The case in training, where it differs. */
  readonly training?: boolean;
  /** How well the two directions undo each other, in eps, where it is not for rounding to say; default 2000. */
  readonly roundTrip?: number;
}

/** Overwrites every parameter with random signed numbers; norms of layers are those of the new ones. */
export function randomize(module: Module, seed: number, scale = 0.6): void {
  const draw = fixture(seed);
  for (const tensor of module.parameters()) {
    const values = draw(tensor.size, scale);
    tensor.write(tensor.dtype === 'float32' ? Float32Array.from(values) : values);
  }
  for (const [, part] of module.modules()) if (part instanceof SpectralLayer) part.converge();
}

export function randomized<B extends Bijection>(bijection: B, seed: number, scale?: number): B {
  randomize(bijection, seed, scale);
  return bijection;
}

/** Signs of both kinds, whatever the start gave. */
function signed<B extends LuLinear | TriangularLinear | QrLinear>(bijection: B): B {
  const signs = Array.from({ length: bijection.channels }, (_, i) => (i % 2 ? -1 : 1));
  bijection.sign.write(
    bijection.dtype === 'float32' ? Float32Array.from(signs) : Float64Array.from(signs),
  );
  return bijection;
}

function batchNorm(dtype: FloatDType): BatchNorm {
  const bijection = randomized(new BatchNorm({ features: 4, dtype }), 5);
  bijection.mean.write(Float64Array.of(0.5, -1, 2, 0.1));
  bijection.variance.write(Float64Array.of(0.3, 2, 1.5, 0.7));
  return bijection;
}

function continuous(
  dtype: FloatDType,
  network: Omit<VectorFieldOptions, 'features'>,
  seed: number,
  options: Partial<ContinuousFlowOptions>,
  scale = 1.2,
): ContinuousFlow {
  const field = new VectorField({ features: 2, ...network, dtype });
  return randomized(new ContinuousFlow({ field, ...options }), seed, scale);
}

function coupling(
  dtype: FloatDType,
  channels: number,
  split: CouplingSplit,
  scale: CouplingScaleOption,
  network: Partial<MlpOptions> = {},
): AffineCoupling {
  const conditioner = new Mlp({
    ...conditionerSizes(channels, split, scale),
    hidden: [7],
    activation: 'tanh',
    ...network,
    dtype,
  });
  const { positions = 1 } = network;
  return randomized(
    new AffineCoupling({ channels, positions, split, scale, conditioner, dtype }),
    channels + positions,
  );
}

const couplingScales: readonly CouplingScaleOption[] = [
  { kind: 'additive' },
  { kind: 'exp' },
  { kind: 'tanh' },
  { kind: 'tanh', learned: false },
  { kind: 'sigmoid' },
  { kind: 'doubleSigmoid' },
  { kind: 'atan', bound: 1.5 },
];
const nameOf = (scale: CouplingScaleOption) =>
  'learned' in scale ? 'tanh without gain' : scale.kind;

/** A coupling of images of 2 × 3 pixels of two channels, with random weights all over. */
function convCoupling(
  split: CouplingSplit,
  options: Partial<ConvNetOptions> = {},
): Pick<BijectionCase, 'features' | 'make'> {
  const image = { height: 2, width: 3 };
  return {
    features: 12,
    make: (dtype) => {
      const conditioner = new ConvNet({
        ...{ image, hidden: 5, activation: 'tanh', dtype },
        ...conditionerSizes(2, split),
        ...options,
      });
      return randomized(
        new AffineCoupling({ channels: 2, positions: 6, split, conditioner, dtype }),
        31,
      );
    },
  };
}

const couplingCases: readonly BijectionCase[] = [
  {
    name: 'affine coupling, residual convolutions, checkerboard',
    features: 12,
    make: (dtype) => {
      const split = {
        kind: 'checkerboard',
        image: { height: 2, width: 3 },
        parity: 0,
      } as const;
      const conditioner = new ResidualConvNet({
        ...{ image: split.image, hidden: 4, blocks: 1, activation: 'tanh', dtype },
        ...conditionerSizes(2, split),
      });
      return randomized(
        new AffineCoupling({ channels: 2, positions: 6, split, conditioner, dtype }),
        37,
      );
    },
  },
  {
    name: 'affine coupling, convolutions, columns',
    ...convCoupling({ kind: 'columns', transforms: 'second' }),
  },
  {
    name: 'affine coupling, convolutions, checkerboard, context',
    ...convCoupling(
      { kind: 'checkerboard', image: { height: 2, width: 3 }, parity: 1 },
      { contextFeatures: 2, outputScale: false },
    ),
    contextFeatures: 2,
  },
  ...couplingScales.map(
    (scale, k): BijectionCase => ({
      name: `affine coupling, ${nameOf(scale)}, columns`,
      features: 5,
      volumePreserving: scale.kind === 'additive',
      make: (dtype) =>
        coupling(
          dtype,
          5,
          { kind: 'columns', transforms: k % 2 === 0 ? 'first' : 'second' },
          scale,
        ),
    }),
  ),
  ...couplingScales.map(
    (scale, k): BijectionCase => ({
      name: `affine coupling, ${nameOf(scale)}, checkerboard`,
      features: 12,
      volumePreserving: scale.kind === 'additive',
      make: (dtype) =>
        coupling(
          dtype,
          2,
          {
            kind: 'checkerboard',
            image: { height: 2, width: 3 },
            parity: (k % 2) as 0 | 1,
          },
          scale,
          { positions: 6 },
        ),
    }),
  ),
  {
    name: 'affine coupling, one column first, context, residual network',
    features: 4,
    contextFeatures: 2,
    make: (dtype) =>
      coupling(
        dtype,
        4,
        { kind: 'columns', transforms: 'second', first: 1 },
        { kind: 'atan' },
        {
          hidden: [6, 6, 6],
          residual: true,
          contextFeatures: 2,
        },
      ),
  },
  {
    name: 'affine coupling, channels of four positions, context',
    features: 12,
    contextFeatures: 3,
    make: (dtype) =>
      coupling(
        dtype,
        3,
        { kind: 'columns', transforms: 'first', first: 1 },
        { kind: 'tanh' },
        {
          hidden: [5, 4],
          positions: 4,
          contextFeatures: 3,
        },
      ),
  },
  {
    name: 'affine coupling, checkerboard, context',
    features: 8,
    contextFeatures: 1,
    make: (dtype) =>
      coupling(
        dtype,
        2,
        { kind: 'checkerboard', image: { height: 2, width: 2 }, parity: 1 },
        { kind: 'sigmoid' },
        { positions: 4, contextFeatures: 1 },
      ),
  },
];

const elementwise: readonly (readonly [ElementwiseMap, number])[] = [
  ['leakyRelu', 0],
  ['parametricRelu', 2],
  ['sigmoid', 0],
  ['tanh', 0],
  ['softplus', 0],
  ['exp', 0],
  ['sinhArcsinh', 2],
  ['normalCdf', 0],
];
const elementwiseCases: readonly BijectionCase[] = [
  ...elementwise.map(
    ([map, contextFeatures], k): BijectionCase => ({
      name: `element-wise ${map}${contextFeatures ? ', context' : ''}`,
      features: 2,
      contextFeatures,
      domain: map.endsWith('Relu') ? 'signed' : 'real',
      make: (dtype) =>
        randomized(new Elementwise({ features: 2, map, contextFeatures, dtype }), 110 + k, 0.4),
    }),
  ),
  {
    name: 'element-wise power',
    features: 3,
    domain: 'unit',
    make: (dtype) => randomized(new Elementwise({ features: 3, map: 'power', dtype }), 121),
  },
];

function residual(
  options: LipschitzNetOptions,
  block: Partial<ResidualBlockOptions> = {},
): (dtype: FloatDType) => Bijection {
  return (dtype) =>
    randomized(
      new ResidualBlock({
        network: new LipschitzNet({ coefficient: 0.9, ...options, dtype }),
        use: { kind: 'exact' },
        ...block,
      }),
      53,
      1.2,
    );
}

// Few parameters: each of them costs the tests some inverses.
const residualCases: readonly BijectionCase[] = [
  { name: 'residual block', features: 2, make: residual({ channels: 2, hidden: [3] }) },
  {
    name: 'residual block, two softplus layers, context, plain iteration',
    features: 1,
    contextFeatures: 1,
    make: residual(
      {
        ...{ channels: 1, hidden: [2], activation: 'softplus', preActivation: true },
        contextFeatures: 1,
      },
      { solver: { anderson: 0 } },
    ),
  },
  {
    name: 'residual block, convolutions',
    features: 3,
    make: residual({
      ...{ channels: 1, image: { height: 1, width: 3 }, hidden: [1], activation: 'tanh' },
    }),
  },
];

const splineCases: readonly BijectionCase[] = [
  {
    name: 'autoregressive spline, context',
    features: 3,
    contextFeatures: 2,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new Autoregressive({
          features: 3,
          hidden: [9],
          activation: 'tanh',
          contextFeatures: 2,
          transformer: new SplineTransformer({ bins: 4, bound: 8 }),
          dtype,
        }),
        131,
      ),
  },
  {
    name: 'autoregressive cubic spline, given order, residual network',
    features: 3,
    make: (dtype) =>
      randomized(
        new Autoregressive({
          features: 3,
          hidden: [6, 6, 6],
          residual: true,
          direct: true,
          order: [2, 0, 1],
          activation: 'tanh',
          transformer: new SplineTransformer({ kind: 'cubic', bins: 3, bound: 8 }),
          dtype,
        }),
        132,
        0.4,
      ),
  },
  {
    name: 'coupling with quadratic splines',
    features: 4,
    make: (dtype) => {
      const transformer = new SplineTransformer({ kind: 'quadratic', bins: 3, bound: 8 });
      const split: CouplingSplit = { kind: 'columns', transforms: 'second' };
      const sizes = couplingSizes(4, split, transformer);
      const conditioner = new Mlp({ ...sizes, hidden: [6], activation: 'tanh', dtype });
      return randomized(new Coupling({ channels: 4, split, transformer, conditioner, dtype }), 133);
    },
  },
  {
    name: 'circular spline of each feature, context',
    features: 2,
    contextFeatures: 2,
    make: (dtype) => {
      const transformer = new SplineTransformer({ tails: 'circular', bins: 3, bound: Math.PI });
      const options = { features: 2, contextFeatures: 2, transformer, dtype };
      return randomized(new ElementwiseTransformer(options), 134);
    },
  },
];

const imageOf = (height: number, width: number, channels: number) => ({ height, width, channels });
const convolutionCases: readonly BijectionCase[] = [
  {
    name: 'autoregressive convolution, bias',
    features: 12,
    make: (dtype) =>
      randomized(new AutoregressiveConv({ image: imageOf(2, 3, 2), bias: true, dtype }), 71, 0.4),
  },
  {
    name: 'autoregressive convolution turned once, upper',
    features: 6,
    make: (dtype) => {
      const options = { image: imageOf(3, 2, 1), rotation: 1, lower: false, dtype } as const;
      const bijection = randomized(new AutoregressiveConv(options), 72, 0.4);
      bijection.sign.write(dtype === 'float32' ? Float32Array.of(-1) : Float64Array.of(-1));
      return bijection;
    },
  },
  {
    name: 'emerging convolution from the top right',
    features: 8,
    make: (dtype) =>
      randomized(emergingConv({ image: imageOf(2, 2, 2), rotation: 1, dtype }), 73, 0.3),
  },
  ...([3, 4] as const).map(
    (width): BijectionCase => ({
      name: `periodic convolution of 2 × ${width}`,
      features: 2 * width,
      make: (dtype) => {
        const options = { image: imageOf(2, width, 1), bias: width === 3, dtype };
        const bijection = randomized(new PeriodicConv(options), 74, 0.15);
        const values = bijection.weight.dataSync();
        values[4] = -1.4;
        bijection.weight.write(values);
        return bijection;
      },
    }),
  ),
  {
    name: 'periodic convolution of two channels',
    features: 4,
    make: (dtype) => {
      const bijection = new PeriodicConv({ image: imageOf(1, 2, 2), dtype });
      const values = bijection.weight.dataSync();
      values.forEach((value, k) => {
        values[k] = 1.3 * value + 0.02 * ((k % 5) - 2);
      });
      bijection.weight.write(values);
      return bijection;
    },
  },
];

export const bijectionCases: readonly BijectionCase[] = [
  ...residualCases,
  ...convolutionCases,
  {
    name: 'affine, learned',
    features: 3,
    make: (dtype) =>
      randomized(new Affine({ logScale: [0, 0, 0], shift: [0, 0, 0], learned: true, dtype }), 1),
  },
  {
    name: 'affine, fixed',
    features: 3,
    make: (dtype) => new Affine({ logScale: [0.7, -1.2, 0.3], shift: [1, -2, 0.5], dtype }),
  },
  { name: 'logit', features: 3, domain: 'unit', make: () => new Logit(3, 0.05) },
  { name: 'sigmoid (inverted logit)', features: 3, make: () => new Invert(new Logit(3, 0)) },
  {
    name: 'permutation',
    features: 5,
    volumePreserving: true,
    make: () => new Permutation([3, 0, 4, 1, 2]),
  },
  {
    name: 'permutation of channels',
    features: 12,
    volumePreserving: true,
    make: () => new Permutation([2, 0, 1], { positions: 4 }),
  },
  { name: 'batch norm in use', features: 4, make: batchNorm },
  ...couplingCases,
  ...elementwiseCases,
  ...transformerCases,
  {
    name: 'batch norm of an image, in use',
    features: 12,
    make: (dtype) => {
      const bijection = randomized(new BatchNorm({ channels: 3, positions: 4, dtype }), 15);
      bijection.mean.write(Float64Array.of(0.5, -1, 2));
      bijection.variance.write(Float64Array.of(0.3, 2, 1.5));
      return bijection;
    },
  },
  {
    name: 'actnorm of a table',
    features: 5,
    make: (dtype) => randomized(new ActNorm({ channels: 5, dtype }), 10),
  },
  {
    name: 'actnorm of an image',
    features: 18,
    make: (dtype) => randomized(new ActNorm({ channels: 3, positions: 6, dtype }), 11),
  },
  {
    name: 'conditional affine',
    features: 6,
    contextFeatures: 3,
    make: (dtype) =>
      randomized(
        new ConditionalAffine({ channels: 2, positions: 3, contextFeatures: 3, dtype }),
        12,
      ),
  },
  {
    name: 'conditional affine without context',
    features: 6,
    make: (dtype) => randomized(new ConditionalAffine({ channels: 2, positions: 3, dtype }), 14),
  },
  {
    name: 'squeeze',
    features: 24,
    volumePreserving: true,
    make: () => new Squeeze({ height: 4, width: 2, channels: 3 }),
  },
  {
    name: 'multi-scale of three scales, context at two of them',
    features: 32,
    contextFeatures: 2,
    make: (dtype) => {
      const part = (channels: number, positions: number, seed: number) =>
        randomized(new ActNorm({ channels, positions, dtype }), seed);
      const conditional = (channels: number, positions: number, seed: number) =>
        randomized(new ConditionalAffine({ channels, positions, contextFeatures: 2, dtype }), seed);
      return new MultiScale([
        {
          bijection: new Chain([
            new Squeeze({ height: 4, width: 4, channels: 2 }),
            part(8, 4, 20),
            conditional(8, 4, 21),
            Permutation.random(8, 3, 4),
          ]),
          channels: 8,
        },
        {
          bijection: new Chain([
            new Squeeze({ height: 2, width: 2, channels: 4 }),
            part(16, 1, 22),
          ]),
          channels: 16,
        },
        { bijection: new Chain([Permutation.reverse(8), conditional(8, 1, 23)]), channels: 8 },
      ]);
    },
  },
  {
    name: 'masked autoregressive, tanh scale',
    features: 4,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 4,
          hidden: [9],
          activation: 'tanh',
          scale: { kind: 'tanh', bound: 1 },
          dtype,
        }),
        2,
      ),
  },
  {
    name: 'masked autoregressive, two layers, soft clamp, context, direct connections',
    features: 5,
    contextFeatures: 2,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 5,
          hidden: [12, 7],
          activation: 'sigmoid',
          contextFeatures: 2,
          direct: true,
          degrees: 'random',
          seed: 3,
          dtype,
        }),
        3,
      ),
  },
  {
    name: 'gated autoregressive step of an IAF, reversed order, context',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 3,
          hidden: [7],
          contextFeatures: 2,
          activation: 'tanh',
          order: 'reversed',
          scale: { kind: 'gate', bias: 1.5 },
          dtype,
        }),
        9,
      ),
  },
  {
    name: 'masked autoregressive of one feature',
    features: 1,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({ features: 1, hidden: [4], activation: 'tanh', dtype }),
        40,
        3,
      ),
  },
  {
    name: 'masked autoregressive, given order, residual network',
    features: 4,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 4,
          hidden: [8, 8, 8],
          residual: true,
          order: [2, 0, 3, 1],
          activation: 'tanh',
          dtype,
        }),
        6,
      ),
  },
  {
    name: 'inverse autoregressive (inverted)',
    features: 4,
    make: (dtype) =>
      new Invert(
        randomized(
          new MaskedAutoregressive({ features: 4, hidden: [8, 8], activation: 'tanh', dtype }),
          7,
          0.4,
        ),
      ),
  },
  {
    name: 'LU linear',
    features: 5,
    make: (dtype) => signed(randomized(new LuLinear({ channels: 5, seed: 4, dtype }), 30)),
  },
  {
    name: 'LU linear at 4 positions, bias',
    features: 12,
    make: (dtype) =>
      signed(
        randomized(
          new LuLinear({ channels: 3, positions: 4, bias: true, seed: 5, dtype }),
          31,
          0.4,
        ),
      ),
  },
  {
    name: 'dense linear',
    features: 4,
    // A random matrix around the rotation: |log det| of some 0.5.
    make: (dtype) => randomized(new DenseLinear({ channels: 4, dtype }), 32, 0.9),
  },
  {
    name: 'dense linear at 3 positions, bias',
    features: 6,
    make: (dtype) =>
      randomized(new DenseLinear({ channels: 2, positions: 3, bias: true, dtype }), 33, 0.9),
  },
  {
    name: 'lower triangular linear, bias',
    features: 5,
    autoregressive: true,
    make: (dtype) =>
      signed(randomized(new TriangularLinear({ channels: 5, bias: true, dtype }), 43)),
  },
  {
    name: 'upper triangular linear at 4 positions',
    features: 12,
    make: (dtype) =>
      signed(
        randomized(
          new TriangularLinear({ channels: 3, positions: 4, lower: false, dtype }),
          35,
          0.4,
        ),
      ),
  },
  {
    name: 'orthogonal linear',
    features: 5,
    volumePreserving: true,
    make: (dtype) => randomized(new OrthogonalLinear({ channels: 5, dtype }), 36),
  },
  {
    name: 'orthogonal linear of 2 reflections at 2 positions, bias',
    features: 12,
    volumePreserving: true,
    make: (dtype) =>
      randomized(
        new OrthogonalLinear({ channels: 6, positions: 2, reflections: 2, bias: true, dtype }),
        37,
      ),
  },
  {
    name: 'QR linear',
    features: 5,
    make: (dtype) => signed(randomized(new QrLinear({ channels: 5, dtype }), 38)),
  },
  {
    name: 'QR linear of 2 reflections at 4 positions, bias',
    features: 12,
    make: (dtype) =>
      signed(
        randomized(
          new QrLinear({ channels: 3, positions: 4, reflections: 2, bias: true, dtype }),
          39,
          0.4,
        ),
      ),
  },
  {
    name: 'rotation by Cayley',
    features: 5,
    volumePreserving: true,
    make: (dtype) => randomized(new RotationLinear({ channels: 5, bias: true, dtype }), 44),
  },
  {
    name: 'rotation by the exponential at 2 positions',
    features: 8,
    volumePreserving: true,
    make: (dtype) =>
      randomized(new RotationLinear({ channels: 4, positions: 2, form: 'exponential', dtype }), 45),
  },
  {
    name: 'SVD linear at 2 positions, bias',
    features: 8,
    make: (dtype) =>
      randomized(new SvdLinear({ channels: 4, positions: 2, bias: true, dtype }), 46),
  },
  {
    name: 'low-rank linear, bias',
    features: 5,
    make: (dtype) =>
      randomized(new LowRankLinear({ channels: 5, rank: 2, bias: true, dtype }), 47, 0.5),
  },
  {
    name: 'diagonal linear',
    features: 3,
    make: (dtype) => randomized(new DiagonalLinear({ channels: 3, dtype }), 41),
  },
  {
    name: 'diagonal linear at 2 positions, bias',
    features: 6,
    make: (dtype) =>
      randomized(new DiagonalLinear({ channels: 3, positions: 2, bias: true, dtype }), 42),
  },
  ...splineCases,
  {
    name: 'planar',
    features: 3,
    make: (dtype) => randomized(new Planar({ features: 3, dtype }), 70, 1),
  },
  {
    name: 'planar, context through a network',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new Planar({ features: 3, contextFeatures: 2, hidden: [5], activation: 'tanh', dtype }),
        71,
      ),
  },
  {
    name: 'planar, leaky ReLU',
    features: 2,
    make: (dtype) => randomized(new Planar({ features: 2, transfer: 'leakyRelu', dtype }), 75, 1),
  },
  {
    name: 'radial',
    features: 3,
    make: (dtype) => randomized(new Radial({ features: 3, dtype }), 72, 1),
  },
  {
    name: 'radial, context',
    features: 2,
    contextFeatures: 3,
    make: (dtype) => randomized(new Radial({ features: 2, contextFeatures: 3, dtype }), 73, 1),
  },
  {
    name: 'Sylvester, orthogonal',
    features: 4,
    make: (dtype) => randomized(new Sylvester({ features: 4, columns: 2, dtype }), 80, 1),
  },
  {
    name: 'Sylvester, Householder, context',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new Sylvester({
          features: 3,
          basis: 'householder',
          reflections: 2,
          contextFeatures: 2,
          dtype,
        }),
        77,
      ),
  },
  {
    name: 'Sylvester, triangular, reversed',
    features: 3,
    make: (dtype) =>
      randomized(new Sylvester({ features: 3, basis: 'triangular', reversed: true, dtype }), 78, 1),
  },
  {
    name: 'continuous, concatsquash, steps by the error',
    features: 2,
    // Ten steps with an error of at most 1e-8 each.
    roundTrip: 1e-7 / 2 ** -52,
    make: (dtype) =>
      continuous(
        dtype,
        { hidden: [2] },
        56,
        {
          endTime: 0.5,
          use: { method: 'dopri5', ...(dtype === 'float64' && { rtol: 1e-8, atol: 1e-8 }) },
        },
        1.6,
      ),
  },
  {
    name: 'continuous, concat, two layers, context, fixed steps, gradients from checkpoints',
    features: 2,
    contextFeatures: 1,
    // Of order 4: steps of 0.07.
    roundTrip: 2e-6 / 2 ** -52,
    make: (dtype) =>
      continuous(
        dtype,
        { hidden: [2, 3], time: 'concat', activation: 'swish', contextFeatures: 1 },
        10,
        { endTime: 0.35, use: { method: 'rk4', steps: 5 }, gradient: 'checkpoints' },
      ),
  },
  {
    name: 'chain of four kinds',
    features: 4,
    make: (dtype) =>
      new Chain([
        randomized(
          new MaskedAutoregressive({ features: 4, hidden: [8], activation: 'tanh', dtype }),
          8,
        ),
        Permutation.reverse(4),
        batchNorm(dtype),
        randomized(
          new Affine({ logScale: [0, 0, 0, 0], shift: [0, 0, 0, 0], learned: true, dtype }),
          9,
        ),
      ]),
  },
  ...(['affine', 'additive'] as const).map(
    (coupling): BijectionCase => ({
      name: `Glow of two scales, ${coupling}, 4 × 4 × 2`,
      features: 32,
      contextFeatures: coupling === 'affine' ? 3 : 0,
      make: (dtype) => {
        const affine = coupling === 'affine';
        const { bijection } = glow({
          image: { height: 4, width: 4, channels: 2 },
          scales: 2,
          transforms: 1,
          hidden: 5,
          permutation: affine ? 'lu' : 'random',
          coupling,
          learnedPrior: affine,
          contextFeatures: affine ? 3 : 0,
          preprocessing: null,
          dequantization: null,
          seed: 3,
          dtype,
        });
        return randomized(bijection, 60, 0.2);
      },
    }),
  ),
];
