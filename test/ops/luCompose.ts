import { type LuForm, luCompose, luComposeAll } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { type OpCase, type OpContract, oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { compose } from '../reference/lu';
import { arraysOf, listCase, luForms, triangleInputs, triangles, trianglesOf } from './luCases';

const sizes = oddSizes.filter((n) => n < 1000);
// Sums of n products, exp within 1 ulp.
const toleranceOf = (n: number) => ({ units: 8 + n / 4, gradientUnits: 64 + n });

/** Beyond 64 channels the GPU takes them to cuBLAS. */
const list = (name: string, all: readonly (readonly [LuForm, number])[]): OpCase =>
  listCase(name, all, luComposeAll, compose, toleranceOf(Math.max(...all.map(([, n]) => n))));

const single: OpCase[] = luForms.flatMap((form) =>
  (form === 'lu' ? sizes : [1, 5, 17]).flatMap((n) =>
    [true, false].map((permuted) => ({
      name: `${form}, ${n} × ${n}${permuted ? ', permuted' : ''}`,
      inputs: triangleInputs(n).slice(0, permuted ? 4 : 3),
      run: (...inputs) => luCompose(trianglesOf(form, inputs)),
      expected: (...inputs) => ({
        shape: [n, n],
        values: compose(arraysOf(form, inputs, permuted)),
      }),
      ...toleranceOf(n),
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
        const [one, other] = [f32, (shape: number[]) => ofType(shape, 'float64')].map((make) =>
          triangles({ factors: make([3, 3]), logScale: make([3]), sign: make([3]) }),
        );
        return luComposeAll([one!, other!]);
      },
      code: 'NATIVE',
      says: /\[lu_compose\] factors: expected float32 for all, got float64/,
    },
    {
      name: 'not square',
      run: () => luCompose(triangles({ factors: f32([3, 4]), logScale: f32([4]), sign: f32([4]) })),
      code: 'SHAPE',
      says: /\[luCompose\] factors: expected shape \[C, C\], got \[3, 4\]/,
    },
    {
      name: 'scales',
      run: () => luCompose(triangles({ logScale: f32([4]) })),
      code: 'SHAPE',
      says: /\[luCompose\] logScale: expected shape \[3\], got \[4\]/,
    },
    {
      name: 'type of rows',
      run: () => luCompose(triangles({ rows: f32([3]) })),
      code: 'DTYPE',
      says: /\[luCompose\] rows: expected int32, got float32/,
    },
    {
      name: 'type of scales',
      run: () => luCompose(triangles({ logScale: ofType([3], 'float64') })),
      code: 'DTYPE',
      says: /\[luCompose\] logScale: expected float32, got float64/,
    },
    {
      name: 'no permutation',
      run: () => luCompose(triangles({ rows: tensorOfArray(Int32Array.of(0, 2, 2), [3]) })),
      code: 'NATIVE',
      says: /\[lu_compose\] rows: expected each of 0 … 2 once, got 2 at 2/,
      byData: true,
    },
    {
      name: 'unknown form',
      run: () => luCompose(triangles({ form: 'qr' as 'lu' })),
      code: 'ARGUMENT',
      says: /form: expected one of lu, lower, upper, got qr/,
    },
  ],
};
