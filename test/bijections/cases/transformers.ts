/** Rows of the bijection contract: transformers in autoregressive maps and couplings. */
import {
  Autoregressive,
  type AutoregressiveOptions,
  BlockAutoregressive,
  Coupling,
  couplingSizes,
  MonotoneTransformer,
  UmnnTransformer,
} from '../../../lib/bijections';
import { ConvNet, Mlp } from '../../../lib/nn';
import type { MonotoneFamily } from '../../../lib/ops';
import { type BijectionCase, randomized } from './case';

/** A transformer that a MADE's incremental inverse does not know: a pass a dimension, implicit gradients. */
class Unknown extends MonotoneTransformer {
  override inverseOfMade() {
    return null;
  }
}

function monotoneCase(
  name: string,
  family: MonotoneFamily,
  features: number,
  options: Partial<AutoregressiveOptions> = {},
  Kind = MonotoneTransformer,
): BijectionCase {
  const { contextFeatures = 0 } = options;
  return {
    name,
    features,
    contextFeatures,
    autoregressive: options.order === undefined,
    make: (dtype) =>
      randomized(
        new Autoregressive({
          ...{ features, hidden: [5], activation: 'tanh', dtype },
          ...options,
          transformer: new Kind(family),
        }),
        features + 60,
        0.4,
      ),
  };
}

export const transformerCases: readonly BijectionCase[] = [
  monotoneCase('autoregressive DSF', { kind: 'dsf', hidden: 3 }, 4, { hidden: [9] }),
  monotoneCase(
    'autoregressive DDSF, reversed, residual, context',
    { kind: 'dsf', hidden: 2, layers: 2 },
    2,
    {
      hidden: [4, 4, 4],
      residual: true,
      direct: true,
      order: 'reversed',
      contextFeatures: 1,
    },
  ),
  monotoneCase(
    'autoregressive sum of squares, direct connections',
    { kind: 'sumOfSquares', squares: 2, degree: 1 },
    3,
    { direct: true },
  ),
  monotoneCase('autoregressive Bernstein', { kind: 'bernstein', degree: 5, bound: 2.5 }, 4),
  monotoneCase(
    'autoregressive mixture of logistics',
    { kind: 'logisticMixture', components: 3 },
    4,
    { hidden: [9] },
  ),
  monotoneCase(
    'autoregressive DSF, dimension by dimension, context',
    { kind: 'dsf', hidden: 2 },
    3,
    { contextFeatures: 2, order: 'reversed' },
    Unknown,
  ),
  {
    name: 'block autoregressive, context',
    features: 3,
    contextFeatures: 1,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new BlockAutoregressive({ features: 3, hidden: [2, 3], contextFeatures: 1, dtype }),
        74,
        0.5,
      ),
  },
  {
    name: 'autoregressive UMNN',
    features: 2,
    autoregressive: true,
    make: (dtype) => {
      const transformer = new UmnnTransformer({
        hidden: [3],
        embedding: 1,
        quadratureSteps: 30,
        dtype,
      });
      return randomized(
        new Autoregressive({ features: 2, hidden: [3], activation: 'tanh', transformer, dtype }),
        73,
        0.4,
      );
    },
  },
  {
    name: 'coupling of mixtures of logistics, context',
    features: 5,
    contextFeatures: 2,
    make: (dtype) => {
      const split = { kind: 'columns', transformed: 'first' } as const;
      const transformer = new MonotoneTransformer({ kind: 'logisticMixture', components: 2 });
      const sizes = couplingSizes(5, split, transformer);
      const conditioner = new Mlp({
        ...sizes,
        hidden: [5],
        activation: 'tanh',
        contextFeatures: 2,
        dtype,
      });
      return randomized(new Coupling({ channels: 5, split, conditioner, transformer, dtype }), 71);
    },
  },
  {
    name: 'coupling Bernstein of images, checkerboard',
    features: 12,
    make: (dtype) => {
      const image = { height: 2, width: 3 };
      const split = { kind: 'checkerboard', image, parity: 1 } as const;
      const transformer = new MonotoneTransformer({ kind: 'bernstein', degree: 3, bound: 6 });
      const sizes = couplingSizes(2, split, transformer);
      const conditioner = new ConvNet({ ...sizes, image, hidden: 3, activation: 'tanh', dtype });
      return randomized(
        new Coupling({ channels: 2, positions: 6, split, conditioner, transformer, dtype }),
        72,
        0.3,
      );
    },
  },
];
