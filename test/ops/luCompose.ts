import { type LuForm, luCompose, luComposeAll } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { type OpCase, type OpContract, oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { compose } from '../reference/lu';
import { luForms, permutationOf, triangleInputs, trianglesOf } from './luCases';

const sizes = oddSizes.filter((n) => n < 1000);
const square = () => f32([3, 3]);

/** Matrices of several sizes at once: W and log|det W| of each. Beyond 64 channels the GPU takes them to cuBLAS. */
const list = (name: string, all: readonly (readonly [LuForm, number])[]): OpCase => ({
  name,
  inputs: all.flatMap(([, n]) => triangleInputs(n)),
  run: (...inputs) =>
    luComposeAll(trianglesOf(all, inputs)).flatMap(({ weight, logAbsDet }) => [weight, logAbsDet]),
  expected: (...inputs) =>
    all.flatMap(([form, n], k) => {
      const [factors, logScale, sign] = inputs.slice(4 * k) as Float64Array[];
      return [
        {
          shape: [n, n],
          values: compose({
            form,
            factors: factors!,
            logScale: logScale!,
            sign: sign!,
            rows: permutationOf(n),
          }),
        },
        {
          shape: [],
          values: [logScale!.reduce((sum, value) => sum + value, 0)],
          dtype: 'float64' as const,
        },
      ];
    }),
  units: 8 + Math.max(...all.map(([, n]) => n)) / 4,
  gradientUnits: 64 + Math.max(...all.map(([, n]) => n)),
  second: 'unsupported' as const,
});

const single: OpCase[] = luForms.flatMap((form) =>
  (form === 'lu' ? sizes : [1, 5, 17]).flatMap((n) =>
    [true, false].map((permuted) => ({
      name: `${form}, ${n} × ${n}${permuted ? ', permuted' : ''}`,
      inputs: triangleInputs(n).slice(0, permuted ? 4 : 3),
      run: (factors, logScale, sign, rows) =>
        luCompose({
          factors: factors!,
          logScale: logScale!,
          sign: sign!,
          rows: rows ?? null,
          form,
        }),
      expected: (factors, logScale, sign) => ({
        shape: [n, n],
        values: compose({
          form,
          factors: factors!,
          logScale: logScale!,
          sign: sign!,
          rows: permuted ? permutationOf(n) : null,
        }),
      }),
      // Sums of n products, exp within 1 ulp.
      units: 8 + n / 4,
      gradientUnits: 64 + n,
      second: 'unsupported' as const,
    })),
  ),
);

export const contract: OpContract = {
  module: 'luCompose',
  native: ['lu_compose', 'lu_compose_grad'],
  cases: [
    list('four at once', [
      ['lu', 5],
      ['upper', 7],
      ['lu', 1],
      ['lower', 3],
    ]),
    list('on both sides of 64', [
      ['lu', 9],
      ['lu', 65],
      ['lower', 66],
    ]),
    ...single,
  ],
  errors: [
    {
      name: 'types of a list',
      run: () => {
        const [one, other] = [f32, (shape: number[]) => ofType(shape, 'float64')].map((make) => ({
          factors: make([3, 3]),
          logScale: make([3]),
          sign: make([3]),
          rows: null,
        }));
        return luComposeAll([one!, other!]);
      },
      code: 'NATIVE',
      says: /\[lu_compose\] factors: expected float32 for all, got float64/,
    },
    {
      name: 'not square',
      run: () =>
        luCompose({ factors: f32([3, 4]), logScale: f32([4]), sign: f32([4]), rows: null }),
      code: 'SHAPE',
      says: /\[luCompose\] factors: expected shape \[C, C\], got \[3, 4\]/,
    },
    {
      name: 'scales',
      run: () => luCompose({ factors: square(), logScale: f32([4]), sign: f32([3]), rows: null }),
      code: 'SHAPE',
      says: /\[luCompose\] logScale: expected shape \[3\], got \[4\]/,
    },
    {
      name: 'type of rows',
      run: () =>
        luCompose({ factors: square(), logScale: f32([3]), sign: f32([3]), rows: f32([3]) }),
      code: 'DTYPE',
      says: /\[luCompose\] rows: expected int32, got float32/,
    },
    {
      name: 'type of scales',
      run: () =>
        luCompose({
          factors: square(),
          logScale: ofType([3], 'float64'),
          sign: f32([3]),
          rows: null,
        }),
      code: 'DTYPE',
      says: /\[luCompose\] logScale: expected float32, got float64/,
    },
    {
      name: 'no permutation',
      run: () =>
        luCompose({
          factors: square(),
          logScale: f32([3]),
          sign: f32([3]),
          rows: tensorOfArray(Int32Array.of(0, 2, 2), [3]),
        }),
      code: 'NATIVE',
      says: /\[lu_compose\] rows: expected each of 0 … 2 once, got 2 at 2/,
      byData: true,
    },
    {
      name: 'unknown form',
      run: () =>
        luCompose({
          factors: square(),
          logScale: f32([3]),
          sign: f32([3]),
          rows: null,
          form: 'qr' as 'lu',
        }),
      code: 'ARGUMENT',
      says: /form: expected one of lu, lower, upper, got qr/,
    },
  ],
};
