import { type Activation, type MlpLayer, mlp } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Input, OpCase, OpContract, Values } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/linear';
import { activated, extentsInput, fanIn, farFromZero, maskOf, sumUnits } from './linearCases';

interface Network {
  /** Rows, inputs, then units of each layer. */
  readonly sizes: readonly number[];
  readonly activation: Activation;
  readonly masked?: boolean;
  readonly addend?: boolean;
  readonly bias?: boolean;
}

const networks: readonly Network[] = [
  { sizes: [1, 1, 1], activation: 'none' },
  { sizes: [3, 4, 5, 6], activation: 'tanh' },
  { sizes: [2, 3, 7, 2], activation: 'sigmoid', addend: true },
  { sizes: [5, 2, 3, 4, 3], activation: 'softplus', masked: true },
  { sizes: [7, 16, 33, 8, 5], activation: 'relu', addend: true },
  { sizes: [4, 17, 15, 16], activation: 'leakyRelu' },
  { sizes: [3, 5, 8, 4], activation: 'tanh', bias: false, addend: true },
  { sizes: [3, 5, 6, 2], activation: 'elu', masked: true, addend: true },
  { sizes: [129, 9, 31, 17, 4], activation: 'tanh' },
  { sizes: [301, 6, 100, 100, 12], activation: 'relu', masked: true },
  // Weights beyond what pays in parts, and beyond what each thread packs for itself.
  { sizes: [40, 6, 100, 100, 12], activation: 'relu', masked: true },
  { sizes: [30, 20, 300, 100], activation: 'tanh' },
  { sizes: [263, 40, 70, 3], activation: 'sigmoid', masked: true, addend: true },
  // Beyond what one instruction takes: by a layer each.
  { sizes: [1025, 3, 4, 2], activation: 'tanh' },
];

/** The layers as operands of a case: weight, bias (where there are), extents (where masked). */
function layersOf(
  { sizes, masked, bias = true }: Network,
  operands: readonly Tensor[],
): MlpLayer[] {
  let next = 0;
  return sizes.slice(2).map(() => ({
    weight: operands[next++] as Tensor,
    bias: bias ? (operands[next++] as Tensor) : null,
    extents: masked ? (operands[next++] as Tensor) : null,
  }));
}

function caseOf(network: Network): OpCase {
  const { sizes, activation, masked = false, addend = false, bias = true } = network;
  const [rows = 0, inputs = 0, ...units] = sizes;
  const width = (l: number) => (l === 0 ? inputs : (units[l - 1] as number));
  // No unit comes near the kink of its activation: biases far from zero, and weights that bring them no nearer.
  const kinked = ['relu', 'leakyRelu', 'elu'].includes(activation);
  const weights =
    (l: number): Values =>
    (draw, length) =>
      draw(length, (kinked ? 0.25 : 1) / Math.sqrt(width(l)));
  const layers = units.flatMap((count, l): Input[] => [
    { shape: [count, width(l)], values: weights(l) },
    ...(bias ? [{ shape: [count], values: kinked ? farFromZero : fanIn(1) }] : []),
    ...(masked ? [extentsInput(count, width(l))] : []),
  ]);
  const first = units[0] as number;
  return {
    name: `${activation}, ${sizes.join(' × ')}${masked ? ', masked' : ''}${addend ? ', addend' : ''}`,
    inputs: [
      { shape: [rows, inputs] },
      ...(addend ? [{ shape: [rows, first], values: fanIn(1) }] : []),
      ...layers,
    ],
    run: (x, ...rest) =>
      mlp(x!, layersOf(network, addend ? rest.slice(1) : rest), {
        activation,
        addend: addend ? rest[0]! : null,
      }),
    expected: (x, ...rest) => {
      const plus = addend ? rest[0]! : null;
      let at = addend ? 1 : 0;
      let h = x!;
      units.forEach((count, l) => {
        const weight = rest[at++]!;
        const own = bias ? rest[at++]! : null;
        const mask = masked ? maskOf(rest[at++]!, width(l)) : null;
        const used = mask ? reference.maskWeight(weight, mask) : weight;
        const z = reference.linear(h, used, own, rows, width(l), count);
        h = activated(l + 1 < units.length ? activation : 'none', z, l === 0 ? plus : null);
      });
      return { shape: [rows, units[units.length - 1] as number], values: h };
    },
    // The error of a layer's sums goes through the next ones, whose weights are near 1 in norm.
    units: units.reduce((total, _, l) => total + 4 * sumUnits(width(l)), 0),
    gradientUnits: 4 * Math.max(256, rows),
  };
}

export const contract: OpContract = {
  module: 'mlp',
  native: ['mlp', 'mlp_grad'],
  cases: networks.map(caseOf),
  errors: [
    {
      name: 'inputs of a layer',
      run: () =>
        mlp(
          f32([2, 3]),
          [
            { weight: f32([5, 3]), bias: null },
            { weight: f32([2, 4]), bias: null },
          ],
          { activation: 'relu' },
        ),
      code: 'SHAPE',
      says: /\[linear\] weight: expected shape \[out, in\] = \[out, 5\]/,
    },
    {
      name: 'addend',
      run: () =>
        mlp(f32([2, 3]), [{ weight: f32([5, 3]), bias: null }], {
          activation: 'relu',
          addend: f32([2, 4]),
        }),
      code: 'SHAPE',
      says: /\[linear\] addend: expected shape \[2, 5\], got \[2, 4\]/,
    },
    {
      name: 'extents',
      run: () =>
        mlp(f32([2, 3]), [{ weight: f32([5, 3]), bias: null, extents: ofType([4], 'int32') }], {
          activation: 'relu',
        }),
      code: 'SHAPE',
      says: /\[maskedLinear\] extents: expected shape \[5\], got \[4\]/,
    },
    {
      name: 'activation',
      run: () =>
        mlp(f32([2, 3]), [{ weight: f32([5, 3]), bias: null }], { activation: 'cube' as 'relu' }),
      code: 'ARGUMENT',
      says: /\[mlp\] activation: expected none, relu/,
    },
  ],
};
