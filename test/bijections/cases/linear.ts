/** Rows of the bijection contract: linear maps of channels. */
import {
  DenseLinear,
  DiagonalLinear,
  LowRankLinear,
  LuLinear,
  OrthogonalLinear,
  QrLinear,
  RotationLinear,
  SvdLinear,
  TriangularLinear,
} from '../../../lib/bijections';

import { type BijectionCase, randomized } from './case';

/** Signs of both kinds, whatever the start gave. */
function signed<B extends LuLinear | TriangularLinear | QrLinear>(bijection: B): B {
  const signs = Array.from({ length: bijection.channels }, (_, i) => (i % 2 ? -1 : 1));
  bijection.sign.write(
    bijection.dtype === 'float32' ? Float32Array.from(signs) : Float64Array.from(signs),
  );
  return bijection;
}

export const linearCases: readonly BijectionCase[] = [
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
];
