import { type LuForm, type LuMethod, luSolve } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { solveRows } from '../reference/lu';
import { arraysOf, luForms, triangleInputs, triangles, trianglesOf } from './luCases';

interface Kind {
  readonly form: LuForm;
  readonly transpose: boolean;
  readonly method: LuMethod;
}

function solveCase(
  n: number,
  m: number,
  { form, transpose, method }: Kind,
  hasBias: boolean,
): OpCase {
  const bias = hasBias && !transpose;
  return {
    name: `${form}${transpose ? ', transposed' : ''}, ${method}, ${m} × ${n}${bias ? ', bias' : ''}`,
    inputs: [{ shape: [m, n] }, ...triangleInputs(n), ...(bias ? [{ shape: [n] }] : [])],
    run: (y, ...rest) => {
      const options = { bias: rest[4] ?? null, transpose, method };
      return luSolve(y!, trianglesOf(form, rest), options);
    },
    expected: (y, ...rest) => ({
      shape: [m, n],
      values: solveRows(arraysOf(form, rest), y!, rest[4] ?? null, transpose),
    }),
    // Two substitutions with n terms each, and the condition number of the matrix, some ten.
    units: 64 + 2 * n,
    gradientUnits: 256 + 4 * n + m,
    second: 'unsupported',
  };
}

const flags = [false, true];
const kinds: readonly Kind[] = luForms.flatMap((form) =>
  flags.flatMap((transpose) =>
    (['substitution', 'inverse'] as const).map((method) => ({ form, transpose, method })),
  ),
);
const odd = [
  [1, 1],
  [3, 1],
  [4, 17],
  [7, 49],
  [8, 5],
  [9, 129],
  [16, 3],
  [17, 33],
  [33, 7],
] as const;

export const contract: OpContract = {
  module: 'luSolve',
  native: ['lu_solve'],
  cases: [
    ...kinds
      .flatMap((kind) => flags.map((bias) => solveCase(5, 3, kind, bias)))
      .filter(
        // A bias does not go with the transpose.
        (test, i, all) => all.findIndex(({ name }) => name === test.name) === i,
      ),
    ...odd.flatMap(([n, m], k) =>
      [kinds[k % 4]!, kinds[(k + 1) % 4]!].map((kind) => solveCase(n, m, kind, k % 2 === 0)),
    ),
    ...[12, 64, 65, 129].map((n) =>
      solveCase(n, 50, { form: 'lu', transpose: false, method: 'auto' }, true),
    ),
  ],
  errors: [
    {
      name: 'columns',
      run: () => luSolve(f32([4, 2]), triangles()),
      code: 'SHAPE',
      says: /\[luSolve\] y: expected shape \[\.\., 3\], got \[4, 2\]/,
    },
    {
      name: 'bias with transpose',
      run: () => luSolve(f32([4, 3]), triangles(), { bias: f32([3]), transpose: true }),
      code: 'ARGUMENT',
      says: /\[luSolve\] bias: expected none with transpose/,
    },
    ...(['substitution', 'inverse'] as const).map((method) => ({
      name: `a scale of 0, ${method}`,
      run: () => {
        const sign = tensorOfArray(Float32Array.of(1, 0, 1), [3]);
        return luSolve(f32([4, 3]), triangles({ sign }), { method });
      },
      code: 'NATIVE' as const,
      says: /\[lu_solve\] diagonal: expected no zero, got 0 at \[1\]: the matrix is singular/,
      byData: true,
    })),
    {
      name: 'unknown method',
      run: () => luSolve(f32([4, 3]), triangles(), { method: 'cached' as 'auto' }),
      code: 'ARGUMENT',
      says: /method: expected one of auto, substitution, inverse, got cached/,
    },
  ],
};
