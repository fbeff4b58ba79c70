import { add, addAll, div, greaterEqual, maximum, minimum, mul, sub } from '../../lib/ops';
import type { Shape } from '../../lib/shape';
import { execute } from '../../lib/tensor/execute';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Draw, OpCase, OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

type Op = readonly [
  name: string,
  run: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
];

const ops: readonly Op[] = [
  ['add', add, (a, b) => a + b],
  ['sub', sub, (a, b) => a - b],
  ['mul', mul, (a, b) => a * b],
  ['div', div, (a, b) => a / b],
  ['maximum', maximum, Math.max],
  ['minimum', minimum, Math.min],
  ['greaterEqual', greaterEqual, (a, b) => (a >= b ? 1 : 0)],
];

/** Signed, at least 0.3 from 0: a divisor. */
const divisor = (draw: Draw, length: number) => draw(length).map((x) => x + 0.3 * (x < 0 ? -1 : 1));

/** a, b and their result, with the indexes that broadcasting reads for element i of the result. */
interface Layout {
  readonly a: Shape;
  readonly b: Shape;
  readonly out: Shape;
  readonly of: (i: number) => readonly [number, number];
}

function layouts(cols: number): readonly Layout[] {
  const whole: Shape = [3, cols];
  const row = (i: number) => i % cols;
  const column = (i: number) => Math.floor(i / cols);
  return [
    { a: whole, b: whole, out: whole, of: (i) => [i, i] },
    { a: whole, b: [cols], out: whole, of: (i) => [i, row(i)] },
    { a: [1, cols], b: whole, out: whole, of: (i) => [row(i), i] },
    { a: whole, b: [3, 1], out: whole, of: (i) => [i, column(i)] },
    { a: [3, 1], b: whole, out: whole, of: (i) => [column(i), i] },
    { a: whole, b: [], out: whole, of: (i) => [i, 0] },
    { a: [1], b: whole, out: whole, of: (i) => [0, i] },
    { a: [3, 1], b: [cols], out: whole, of: (i) => [column(i), row(i)] },
    { a: [cols], b: [cols], out: [cols], of: (i) => [i, i] },
    { a: [2, 2, 3, cols], b: [cols], out: [2, 2, 3, cols], of: (i) => [i, row(i)] },
  ];
}

function cases(): OpCase[] {
  const result: OpCase[] = [];
  let turn = 0;
  for (const [name, run, f] of ops) {
    // Every layout meets every op; sizes and layouts take turns.
    for (let k = 0; k < layouts(1).length + 2; k++) {
      const cols = oddSizes[(turn++ * 5) % oddSizes.length] as number;
      const all = layouts(cols);
      const { a, b, out, of } = all[k % all.length] as Layout;
      result.push({
        name: `${name} [${a}] with [${b}], ${k}`,
        inputs: [
          // Against b, so that maximum and minimum are not near a tie.
          { shape: a, values: (draw, length) => draw(length).map((x) => Math.round(x * 64) / 64) },
          {
            shape: b,
            values: (draw, length) =>
              divisor(draw, length).map((x) => Math.round(x * 64) / 64 + 1 / 128),
          },
        ],
        run,
        expected: (x, y) => ({
          shape: out,
          values: Float64Array.from(
            { length: out.reduce((size, extent) => size * extent, 1) },
            (_, i) => {
              const [p, q] = of(i);
              return f(x[p] as number, y[q] as number);
            },
          ),
        }),
        // One rounding.
        units: 1,
        relativeTo: 'element',
        // A tie lies 1/128 away: within the differences' largest step.
        gradient: !['maximum', 'minimum', 'greaterEqual'].includes(name),
      });
    }
  }
  // Ties out of reach of the differences.
  for (const [name, run, f] of ops.slice(4, 6)) {
    for (const cols of [5, 17, 129]) {
      result.push({
        name: `${name} gradient, 3 × ${cols}`,
        inputs: [
          { shape: [3, cols], values: (draw, length) => draw(length).map((x) => Math.round(x)) },
          { shape: [cols], values: (draw, length) => draw(length).map((x) => Math.round(x) + 0.5) },
        ],
        run,
        expected: (x, y) => ({
          shape: [3, cols],
          values: x.map((value, i) => f(value, y[i % cols] as number)),
        }),
      });
    }
  }
  const withNumber: readonly Op[] = [
    ['x + 1.25', (x) => add(x, 1.25), (x) => x + 1.25],
    ['1.25 + x', (x) => add(1.25, x), (x) => x + 1.25],
    ['x − 1.25', (x) => sub(x, 1.25), (x) => x - 1.25],
    ['1.25 − x', (x) => sub(1.25, x), (x) => 1.25 - x],
    ['x · −1.25', (x) => mul(x, -1.25), (x) => x * -1.25],
    ['x / 3', (x) => div(x, 3), (x) => x / 3],
    ['3 / x', (x) => div(3, x), (x) => 3 / x],
    ['max(x, 0.3)', (x) => maximum(x, 0.25), (x) => Math.max(x, 0.25)],
    ['min(0.3, x)', (x) => minimum(0.25, x), (x) => Math.min(x, 0.25)],
  ];
  for (const [name, run, f] of withNumber) {
    result.push({
      name,
      inputs: [
        {
          shape: [2, 9],
          values: (draw, length) =>
            divisor(draw, length).map((x) => (Math.abs(x - 0.25) < 0.1 ? 0.75 : x)),
        },
      ],
      run: (x) => run(x, x),
      expected: (x) => ({ shape: [2, 9], values: x.map((value) => f(value, value)) }),
      units: 1,
    });
  }
  result.push(
    {
      name: 'add over several tasks',
      inputs: [{ shape: [67, 1023] }, { shape: [67, 1023] }],
      run: add,
      expected: (x, y) => ({ shape: [67, 1023], values: x.map((value, i) => value + y[i]!) }),
      units: 1,
    },
    {
      name: 'a tensor with itself',
      inputs: [{ shape: [3, 7] }],
      run: (x) => mul(x, x),
      expected: (x) => ({ shape: [3, 7], values: x.map((value) => value * value) }),
      units: 1,
    },
    {
      name: 'accumulate',
      inputs: [
        { shape: [3, 129], constant: true },
        { shape: [3, 129], constant: true },
      ],
      run: (a, b) => execute('accumulate', [a, b], [{ shape: a.shape, dtype: a.dtype }]),
      expected: (a, b) => ({ shape: [3, 129], values: a.map((value, i) => value + b[i]!) }),
      units: 1,
    },
    ...[3, 33].map(
      (terms): OpCase => ({
        name: `addAll of ${terms}`,
        inputs: Array.from({ length: terms }, () => ({ shape: [5, 9] })),
        run: (...all) => addAll(all),
        expected: (...all) => ({
          shape: [5, 9],
          values: all[0]!.map((_, i) => all.reduce((total, term) => total + term[i]!, 0)),
        }),
        units: terms,
      }),
    ),
    {
      name: 'NaN in maximum and minimum',
      inputs: [
        { shape: [4], values: () => [NaN, 1, NaN, -Infinity] },
        { shape: [4], values: () => [1, NaN, NaN, 2] },
      ],
      run: (a, b) => [maximum(a, b), minimum(a, b), greaterEqual(a, b)],
      expected: () => [
        { shape: [4], values: [NaN, NaN, NaN, 2] },
        { shape: [4], values: [NaN, NaN, NaN, -Infinity] },
        { shape: [4], values: [0, 0, 0, 0] },
      ],
      gradient: false,
    },
  );
  return result;
}

export const contract: OpContract = {
  module: 'binary',
  native: ['binary', 'accumulate'],
  cases: cases(),
  errors: [
    {
      name: 'widths that do not fit',
      run: () => add(f32([3, 4]), f32([3])),
      code: 'SHAPE',
      says: /\[add\] b: expected a shape that broadcasts with a: \[3, 4\], got \[3\]: .*reshape a vector \[N\] to \[N, 1\]/,
    },
    {
      name: 'two types',
      run: () => mul(f32([3]), ofType([3], 'float64')),
      code: 'DTYPE',
      says: /\[mul\] b: expected float32, got float64: convert one of the two with cast\(\)/,
    },
    {
      name: 'integers',
      run: () => div(ofType([3], 'int32'), ofType([3], 'int32')),
      code: 'DTYPE',
      says: /\[div\] a: expected float32 or float64, got int32/,
    },
    {
      name: 'two numbers',
      run: () => add(1, 2),
      code: 'ARGUMENT',
      says: /\[add\] operands: expected at least one tensor, got 1 and 2/,
    },
    {
      name: 'a native call of wrong shapes',
      run: () => execute('accumulate', [f32([3]), f32([4])], [{ shape: [3], dtype: 'float32' }]),
      code: 'NATIVE',
      says: /\[accumulate\] input: expected 1 × 3, got 1 × 4/,
    },
  ],
};
