/** What the contract rows of the lu ops share. */
import type { LuComposed, LuForm, LuTriangles } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Input, OpCase, Values } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import type { LuArrays } from '../reference/lu';

export const luForms: readonly LuForm[] = ['lu', 'lower', 'upper'];

/** A permutation that is not its own inverse where n > 2. */
const permutationOf = (n: number): number[] =>
  Array.from(
    { length: n },
    (_, i) => (i * (n % 2 === 0 ? n / 2 + (n % 4 === 0 ? 1 : 2) : 2) + 1) % n,
  );

/** Off the diagonal of the size 1/n: well conditioned, so that n terms decide on the rounding. */
const factors =
  (n: number): Values =>
  (draw, length) =>
    draw(length).map((value, i) => (i % (n + 1) === 0 ? value : value / Math.max(1, n / 2)));
const signs: Values = (draw, length) => draw(length).map((value) => (value < 0 ? -1 : 1));

/** factors, logScale, sign, rows. */
export const triangleInputs = (n: number): Input[] => [
  { shape: [n, n], values: factors(n) },
  { shape: [n], values: (draw, length) => draw(length, 0.4) },
  { shape: [n], values: signs, constant: true },
  { shape: [n], dtype: 'int32', values: () => permutationOf(n) },
];

/** What an op is given of the inputs of one matrix. */
export function trianglesOf(
  form: LuForm,
  [factors, logScale, sign, rows]: readonly (Tensor | undefined)[],
): LuTriangles {
  return { factors: factors!, logScale: logScale!, sign: sign!, rows: rows ?? null, form };
}

/** The same for the reference. */
export function arraysOf(
  form: LuForm,
  [factors, logScale, sign]: readonly (Float64Array | undefined)[],
  permuted = true,
): LuArrays {
  const rows = permuted ? permutationOf(logScale!.length) : null;
  return { form, factors: factors!, logScale: logScale!, sign: sign!, rows };
}

/** Several matrices at once: what is made of each, and its log|det W|. */
export function listCase(
  name: string,
  all: readonly (readonly [LuForm, number])[],
  make: (all: readonly LuTriangles[]) => readonly LuComposed[],
  matrixOf: (arrays: LuArrays) => Float64Array,
  tolerance: Pick<OpCase, 'units' | 'gradientUnits'>,
): OpCase {
  const ofEach = <T>(inputs: readonly T[]) =>
    all.map(([form], k) => [form, inputs.slice(4 * k, 4 * k + 4)] as const);
  return {
    name,
    inputs: all.flatMap(([, n]) => triangleInputs(n)),
    run: (...inputs) =>
      make(ofEach(inputs).map((one) => trianglesOf(...one))).flatMap(({ weight, logAbsDet }) => [
        weight,
        logAbsDet,
      ]),
    expected: (...inputs) =>
      ofEach(inputs).flatMap(([form, given]) => {
        const arrays = arraysOf(form, given);
        const n = arrays.logScale.length;
        const logAbsDet = given[1]!.reduce((sum, value) => sum + value, 0);
        return [
          { shape: [n, n], values: matrixOf(arrays) },
          { shape: [], values: [logAbsDet], dtype: 'float64' as const },
        ];
      }),
    ...tolerance,
    second: 'unsupported',
  };
}

/** Of three channels, with nothing in particular in them, for error cases. */
export function triangles(more: Partial<LuTriangles> = {}): LuTriangles {
  return { factors: f32([3, 3]), logScale: f32([3]), sign: f32([3]), rows: null, ...more };
}
