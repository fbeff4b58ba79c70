/** What the contract rows of the lu ops share. */
import type { LuForm, LuTriangles } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Input, Values } from '../contract/opCase';

export const luForms: readonly LuForm[] = ['lu', 'lower', 'upper'];

/** A permutation that is not its own inverse where n > 2. */
export const permutationOf = (n: number): number[] =>
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

/** Of the inputs of one matrix after the other. */
export const trianglesOf = (
  all: readonly (readonly [LuForm, number])[],
  inputs: readonly (Tensor | undefined)[],
): LuTriangles[] =>
  all.map(([form], k) => {
    const [factors, logScale, sign, rows] = inputs.slice(4 * k);
    return { factors: factors!, logScale: logScale!, sign: sign!, rows: rows ?? null, form };
  });
