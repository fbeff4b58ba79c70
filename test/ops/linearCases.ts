/** What the contract rows of the linear ops share. */
import type { Activation } from '../../lib/ops';
import type { Input, OpCase, Values } from '../contract/opCase';
import { indexes } from '../contract/opCase';
import { activations } from '../reference/activations';
import * as reference from '../reference/linear';

/** Rows, inputs, outputs: around the registers, the tiles and the blocks. */
export const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [3, 4, 5],
  [2, 15, 17],
  [7, 16, 8],
  [5, 33, 3],
  [129, 9, 31],
  [4, 129, 65],
  [2, 1023, 6],
];

/** Numbers of a size that keeps sums of `inputs` products near 1. */
export const fanIn =
  (inputs: number): Values =>
  (draw, length) =>
    draw(length, 1 / Math.sqrt(inputs));

/** Away from 0 by far: no unit comes near the kink of its activation. */
export const farFromZero: Values = (draw, length) =>
  draw(length).map((value, i) => value + (i % 3 === 0 ? -8 : 8));

export const extentsInput = (units: number, inputs: number): Input => ({
  shape: [units],
  dtype: 'int32',
  values: indexes(inputs + 1),
});

/** 1 where output o sees input i < extents[o]. */
export function maskOf(extents: ArrayLike<number>, inputs: number): Float64Array {
  return Float64Array.from(
    { length: extents.length * inputs },
    (_, i) => +(i % inputs < extents[Math.floor(i / inputs)]!),
  );
}

/** Sums of K products: some K/2 eps in the worst order, relative to the largest result. */
export const sumUnits = (k: number): number => 8 + k;

export function activated(
  activation: Activation,
  z: Float64Array,
  addend: ArrayLike<number> | null,
): Float64Array {
  const { f } = activations[activation === 'none' ? 'identity' : activation];
  return z.map((value, i) => f(value + (addend ? addend[i]! : 0)));
}

const smooth: readonly Activation[] = ['none', 'tanh', 'sigmoid', 'softplus'];
const kinked: readonly Activation[] = ['relu', 'leakyRelu', 'elu'];

type Run = NonNullable<OpCase['run']>;

/** linear (extents false) or maskedLinear (true), with and without addend, every activation. */
export function linearCases(
  masked: boolean,
  call: (activation: Activation, hasAddend: boolean) => Run,
): OpCase[] {
  const one = (
    n: number,
    inputs: number,
    outputs: number,
    activation: Activation,
    hasAddend: boolean,
  ): OpCase => {
    const far = kinked.includes(activation);
    return {
      name: `${activation}, ${n} rows, ${inputs} → ${outputs}${hasAddend ? ', addend' : ''}`,
      inputs: [
        { shape: [n, inputs] },
        { shape: [outputs, inputs], values: fanIn(inputs) },
        far ? { shape: [outputs], values: farFromZero } : { shape: [outputs] },
        ...(hasAddend ? [{ shape: [n, outputs] }] : []),
        ...(masked ? [extentsInput(outputs, inputs)] : []),
      ],
      run: call(activation, hasAddend),
      expected: (x, weight, bias, ...rest) => {
        const mask = masked
          ? maskOf(rest[rest.length - 1]!, inputs)
          : new Float64Array(outputs * inputs).fill(1);
        const z = reference.maskedLinear(x!, weight!, mask, bias!, n, inputs, outputs);
        const values = activated(activation, z, hasAddend ? rest[0]! : null);
        return { shape: [n, outputs], values };
      },
      units: sumUnits(inputs),
      gradientUnits: 64 + inputs + outputs + n,
    };
  };
  return [
    ...sizes.map(([n, i, o], k) => one(n, i, o, smooth[k % smooth.length]!, k % 3 === 1)),
    ...[...smooth, ...kinked].flatMap((activation) => [
      one(3, 4, 5, activation, false),
      one(2, 5, 17, activation, true),
    ]),
  ].filter((test, k, all) => all.findIndex((other) => other.name === test.name) === k);
}
