import { type ScaledLayer, scaleWeights } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import { type Input, notNearZero, type OpCase, type OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

/** Sizes of a layer, and what belongs to it. */
interface Layer {
  readonly out: number;
  readonly in: number;
  readonly bias?: boolean;
  readonly logScale?: boolean;
  readonly gain?: boolean;
}

const parts = ['bias', 'logScale', 'gain'] as const;

const inputsOf = (layer: Layer): Input[] => [
  { shape: [layer.out, layer.in], values: notNearZero },
  ...parts.flatMap((part): Input[] =>
    layer[part] ? [{ shape: [layer.out], values: (draw, length) => draw(length, 0.3) }] : [],
  ),
];

/** The inputs layer by layer, null where there is none. */
function shared<T>(layers: readonly Layer[], inputs: readonly T[]): (T | null)[][] {
  let next = 0;
  return layers.map((layer) => [
    inputs[next++] as T,
    ...parts.map((part) => (layer[part] ? (inputs[next++] as T) : null)),
  ]);
}

const list = (name: string, factor: number, layers: readonly Layer[]): OpCase => ({
  name,
  inputs: layers.flatMap(inputsOf),
  run: (...inputs) => {
    const all = shared(layers, inputs as Tensor[]).map(
      ([weight, bias, logScale, gain]) => ({ weight, bias, logScale, gain }) as ScaledLayer,
    );
    return scaleWeights(all, factor).flatMap(({ weight, bias }, k) =>
      bias && all[k]!.logScale ? [weight, bias] : [weight],
    );
  },
  expected: (...inputs) =>
    shared(layers, inputs).flatMap(([weight, bias, logScale, gain], k) => {
      const layer = layers[k]!;
      const outer = (o: number) => (logScale ? Math.exp(factor * logScale[o]!) : 1);
      const inner = (o: number) =>
        gain ? gain[o]! / Math.hypot(...weight!.subarray(o * layer.in, (o + 1) * layer.in)) : 1;
      const values = weight!.map((v, i) => {
        const o = Math.floor(i / layer.in);
        return v * outer(o) * inner(o);
      });
      return [
        { shape: [layer.out, layer.in], values },
        ...(bias && logScale
          ? [{ shape: [layer.out], values: bias.map((b, o) => b * outer(o)) }]
          : []),
      ];
    }),
  // A scale in float64, rounded; one product.
  units: 2,
  gradientUnits: 64,
});

export const contract: OpContract = {
  module: 'scaleWeights',
  native: ['scale_weights', 'scale_weights_grad'],
  cases: [
    list('one output', 1, [{ out: 1, in: 1, bias: true, logScale: true }]),
    list('scales', 3, [{ out: 3, in: 17, bias: true, logScale: true }]),
    list('norms', 1, [{ out: 3, in: 9, gain: true }]),
    list('of all kinds', 3, [
      { out: 5, in: 8, bias: true, logScale: true },
      { out: 2, in: 33, gain: true },
      { out: 4, in: 7, logScale: true },
      { out: 3, in: 5, bias: true, logScale: true, gain: true },
    ]),
    list('several pieces', 3, [
      { out: 9, in: 129, bias: true, logScale: true, gain: true },
      { out: 33, in: 3, bias: true, logScale: true },
    ]),
  ],
  errors: [
    {
      name: 'scale',
      run: () =>
        scaleWeights([{ weight: f32([2, 3]), bias: null, logScale: f32([3]), gain: null }]),
      code: 'SHAPE',
      says: /\[scaleWeights\] logScale: expected shape \[2\], got \[3\]/,
    },
    {
      name: 'bias',
      run: () =>
        scaleWeights([{ weight: f32([2, 3]), bias: f32([3]), logScale: f32([2]), gain: null }]),
      code: 'SHAPE',
      says: /\[scaleWeights\] bias: expected shape \[2\], got \[3\]/,
    },
    {
      name: 'types',
      run: () =>
        scaleWeights([
          { weight: f32([2, 3]), bias: null, logScale: null, gain: ofType([2], 'float64') },
        ]),
      code: 'DTYPE',
      says: /\[scaleWeights\] gain: expected float32, got float64/,
    },
    {
      name: 'integers',
      run: () =>
        scaleWeights([{ weight: ofType([2, 3], 'int32'), bias: null, logScale: null, gain: null }]),
      code: 'DTYPE',
      says: /\[scaleWeights\] weight: expected float32 or float64/,
    },
    {
      name: 'axes',
      run: () => scaleWeights([{ weight: f32([2]), bias: null, logScale: null, gain: null }]),
      code: 'SHAPE',
      says: /\[scaleWeights\] weight: expected shape \[out, in\], got \[2\]/,
    },
  ],
};
