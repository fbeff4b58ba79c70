import { clamp, elu, exp, leakyRelu, log, sin, tanh, type UnaryKind, unary } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { notNearZero, oddSizes, positive, unitInterval } from '../contract/opCase';
import { ofType } from '../contract/opContract';
import * as reference from '../reference/activations';

const { activations: table } = reference;

/** Every kind with its reference. The sizes are spread over the kinds. */
const kinds: readonly (readonly [UnaryKind, (x: number) => number, Values?])[] = [
  ['neg', (x) => -x],
  ['abs', Math.abs, notNearZero],
  ['square', table.square.f],
  ['sqrt', Math.sqrt, positive],
  ['reciprocal', (x) => 1 / x, positive],
  ['exp', Math.exp],
  ['expm1', Math.expm1],
  ['log', Math.log, positive],
  ['log1p', Math.log1p, positive],
  ['tanh', Math.tanh],
  ['sigmoid', reference.sigmoid],
  ['logSigmoid', reference.logSigmoid],
  ['softplus', reference.softplus],
  ['relu', (x) => Math.max(0, x), notNearZero],
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['erf', reference.erf],
  ['sign', Math.sign, notNearZero],
  ['asinh', Math.asinh],
  ['normalCdf', reference.normalCdf],
  ['normalQuantile', reference.normalQuantile, unitInterval],
  // Away from the steps by 0.1.
  [
    'floor',
    Math.floor,
    (draw, length) => draw(length, 3).map((x) => Math.floor(x) + 0.1 + 0.8 * (x - Math.floor(x))),
  ],
];

/** Absolute accuracy where they cross 0. */
const nearZero: readonly UnaryKind[] = ['sin', 'cos', 'normalQuantile'];

function cases(): OpCase[] {
  const result: OpCase[] = kinds.map(([kind, f, values], i) => {
    const cols = oddSizes[i % oddSizes.length] as number;
    return {
      name: `${kind}, 3 × ${cols}`,
      inputs: [values ? { shape: [3, cols], values } : { shape: [3, cols] }],
      run: (x) => unary(kind, x),
      expected: (x) => ({ shape: [3, cols], values: x.map(f) }),
      // The functions are within 2 ulp (native/simd/math.h), some are made of two; some are near 0 in absolute terms.
      units: kind === 'normalQuantile' ? 8 : 4,
      relativeTo: nearZero.includes(kind) ? 'output' : 'element',
    };
  });
  for (const cols of oddSizes) {
    const shape = [2, cols];
    result.push(
      {
        name: `leakyRelu, 2 × ${cols}`,
        inputs: [{ shape, values: notNearZero }],
        run: (x) => leakyRelu(x, 0.2),
        expected: (x) => ({ shape, values: x.map(reference.leakyRelu(0.2).f) }),
        units: 2,
      },
      {
        name: `elu, 2 × ${cols}`,
        inputs: [{ shape, values: notNearZero }],
        run: (x) => elu(x, 1.7),
        expected: (x) => ({ shape, values: x.map(reference.elu(1.7).f) }),
      },
      {
        name: `clamp, 2 × ${cols}`,
        // Away from the limits ±0.5 by 0.05.
        inputs: [
          {
            shape,
            values: (draw, length) =>
              draw(length).map((x) => (Math.abs(Math.abs(x) - 0.5) < 0.05 ? 1.3 : x)),
          },
        ],
        run: (x) => clamp(x, -0.5, 0.5),
        expected: (x) => ({ shape, values: x.map((v) => Math.min(0.5, Math.max(-0.5, v))) }),
        units: 0,
      },
      {
        name: `tanh, vector of ${cols}`,
        inputs: [{ shape: [cols] }],
        run: (x) => tanh(x),
        expected: (x) => ({ shape: [cols], values: x.map(Math.tanh) }),
      },
    );
  }
  result.push(
    {
      name: 'exp over several tasks',
      inputs: [{ shape: [37, 1023] }],
      run: (x) => exp(x),
      expected: (x) => ({ shape: [37, 1023], values: x.map(Math.exp) }),
    },
    {
      name: 'log of a scalar',
      inputs: [{ shape: [], values: positive }],
      run: (x) => log(x),
      expected: (x) => ({ shape: [], values: x.map(Math.log) }),
    },
    {
      name: 'sin far from 0',
      inputs: [{ shape: [3, 17], values: (draw, length) => draw(length, 1000) }],
      run: (x) => sin(x),
      expected: (x) => ({ shape: [3, 17], values: x.map(Math.sin) }),
      gradient: false,
    },
  );
  return result;
}

export const contract: OpContract = {
  module: 'unary',
  native: ['unary', 'unary_grad'],
  cases: cases(),
  errors: [
    {
      name: 'integers',
      run: () => exp(ofType([2, 2], 'uint8')),
      code: 'DTYPE',
      says: /\[exp\] x: expected float32 or float64, got uint8: convert it/,
    },
    {
      name: 'limits the wrong way round',
      run: () => clamp(ofType([2, 2], 'float32'), 2, 1),
      code: 'ARGUMENT',
      says: /\[clamp\] limits: expected low ≤ high, got 2 and 1/,
    },
  ],
};
