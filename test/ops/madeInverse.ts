import { type AutoregressiveScale, type MadeNetwork, madeInverse } from '../../lib/ops';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import type { Input, OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { activations } from '../reference/activations';
import { maskedLinear } from '../reference/linear';
import { hiddenMask, type Made, outputMask, sequentialDegrees } from '../reference/made';
import { maskedAffineInverse } from '../reference/maf';
import { fanIn } from './linearCases';

interface Options {
  readonly n: number;
  readonly features: number;
  readonly hidden: readonly number[];
  readonly activation: 'tanh' | 'softplus';
  readonly scale: 'tanh' | 'none' | 'gate';
  readonly direct: boolean;
  /** The first hidden layer gets an addend. */
  readonly addend: boolean;
}

const scaleMaps: Record<Options['scale'], AutoregressiveScale> = {
  tanh: { kind: 'tanh', bound: 1 },
  none: { kind: 'none' },
  gate: { kind: 'gate', bias: 1.5 },
};

const extentsOf = (mask: readonly number[], width: number): Int32Array =>
  Int32Array.from({ length: mask.length / width }, (_, u) =>
    mask.slice(u * width, (u + 1) * width).reduce((a, b) => a + b, 0),
  );

/** Inputs of a case: y, addend and direct weight where there are any, weight and bias of each layer, output last. */
function madeCase(options: Options): OpCase {
  const { n, features, hidden, activation, scale, direct, addend } = options;
  const degrees = hidden.map((units) => sequentialDegrees(features, units, 0));
  const inputs = Array.from({ length: features }, (_, i) => i + 1);
  const before = [inputs, ...degrees];
  const masks = [
    ...degrees.map((own, l) => hiddenMask(own, before[l]!)),
    outputMask(inputs, before[hidden.length]!, 2),
  ];
  const units = [...hidden, 2 * features];
  const layerInputs = units.flatMap((count, l): Input[] => [
    { shape: [count, before[l]!.length], values: fanIn(before[l]!.length) },
    { shape: [count], values: (draw, length) => draw(length, 0.5) },
  ]);
  const size = `${n} × ${features}, hidden ${hidden.join(', ') || 'none'}`;
  return {
    name: `${size}, ${activation}, scale ${scale}${direct ? ', direct' : ''}${addend ? ', addend' : ''}`,
    inputs: [
      { shape: [n, features] },
      ...(addend ? [{ shape: [n, hidden[0]!] }] : []),
      ...(direct ? [{ shape: [2 * features, features], values: fanIn(2 * features) }] : []),
      ...layerInputs,
    ],
    run: (y, ...rest) => {
      const [term, around, ...layers] = [
        addend ? rest.shift()! : null,
        direct ? rest.shift()! : null,
        ...rest,
      ];
      const layer = (l: number) => ({
        weight: layers[2 * l] as Tensor,
        bias: layers[2 * l + 1] as Tensor,
        extents: tensorOfArray(extentsOf(masks[l]!, before[l]!.length), [units[l]!]),
      });
      const network: MadeNetwork = {
        hiddenLayers: hidden.map((_, l) => layer(l)),
        output: layer(hidden.length),
        directLayer: around ? { weight: around } : null,
        activation,
      };
      const { x, logDet } = madeInverse(y!, network, term, { scale: scaleMaps[scale] });
      return [x, logDet];
    },
    expected: (y, ...rest) => {
      const term = addend ? rest.shift()! : null;
      const around = direct ? rest.shift()! : null;
      const layer = (l: number) => ({
        weight: rest[2 * l]!,
        mask: masks[l]!,
        bias: rest[2 * l + 1]!,
      });
      const identity = Array.from({ length: (hidden[0] ?? 0) ** 2 }, (_, i) =>
        i % ((hidden[0] ?? 0) + 1) === 0 ? 1 : 0,
      );
      const made: Made = {
        features,
        outputsPerFeature: 2,
        activation,
        inputDegrees: inputs,
        hidden: hidden.map((_, l) => layer(l)),
        output: layer(hidden.length),
        // The addend as a context that an identity hands on.
        ...(term ? { contextWeight: identity, contextFeatures: hidden[0]! } : {}),
        ...(around ? { direct: { weight: around, mask: outputMask(inputs, inputs, 2) } } : {}),
      };
      const { y: x, logDet } = maskedAffineInverse(made, y!, n, term, scale);
      return [
        { shape: [n, features], values: x },
        { shape: [n], dtype: 'float64', values: logDet },
      ];
    },
    // Errors of the first dimensions go through the network into the later ones.
    units: 500,
    gradientUnits: 2000,
    second: 'unsupported',
  };
}

/** A residual network of three hidden layers; the inverse by D passes through plain loops. */
function residualCase(n: number, features: number, units: number): OpCase {
  const inputs = Array.from({ length: features }, (_, i) => i + 1);
  const degrees = sequentialDegrees(features, units, 0);
  const widths = [features, units, units, units];
  const masks = [
    hiddenMask(degrees, inputs),
    hiddenMask(degrees, degrees),
    hiddenMask(degrees, degrees),
    outputMask(inputs, degrees, 2),
  ];
  const counts = [units, units, units, 2 * features];
  const { f } = activations.tanh;
  const params = (x: Float64Array, layers: readonly Float64Array[]) => {
    const layer = (l: number, h: Float64Array) =>
      maskedLinear(h, layers[2 * l]!, masks[l]!, layers[2 * l + 1]!, n, widths[l]!, counts[l]!);
    const h = layer(0, x);
    const inner = layer(1, h.map(f)).map(f);
    const sum = layer(2, inner).map((value, i) => value + h[i]!);
    return layer(3, sum.map(f));
  };
  return {
    name: `residual, ${n} × ${features}, hidden 3 × ${units}`,
    inputs: [
      { shape: [n, features] },
      ...counts.flatMap((count, l): Input[] => [
        { shape: [count, widths[l]!], values: fanIn(widths[l]!) },
        { shape: [count], values: (draw, length) => draw(length, 0.5) },
      ]),
    ],
    run: (y, ...layers) => {
      const [first, second, third, output] = counts.map((count, l) => ({
        weight: layers[2 * l]!,
        bias: layers[2 * l + 1]!,
        extents: tensorOfArray(extentsOf(masks[l]!, widths[l]!), [count]),
      }));
      const { x, logDet } = madeInverse(y!, {
        hiddenLayers: [first!, second!, third!],
        output: output!,
        activation: 'tanh',
        residual: true,
      });
      return [x, logDet];
    },
    expected: (y, ...layers) => {
      const x = new Float64Array(n * features);
      const logDet = new Float64Array(n);
      for (let d = 0; d < features; d++) {
        const out = params(x, layers);
        for (let i = d; i < x.length; i += features) {
          const a = Math.tanh(out[2 * i + 1]!);
          x[i] = y![i]! * Math.exp(a) + out[2 * i]!;
          logDet[Math.floor(i / features)]! += a;
        }
      }
      return [
        { shape: [n, features], values: x },
        { shape: [n], dtype: 'float64', values: logDet },
      ];
    },
    units: 500,
    gradientUnits: 2000,
    second: 'unsupported',
  };
}

export const contract: OpContract = {
  module: 'madeInverse',
  native: ['made_inverse', 'made_inverse_grad'],
  cases: [
    { n: 3, features: 1, hidden: [2], direct: false, addend: true },
    { n: 4, features: 2, hidden: [3], direct: true, addend: false },
    { n: 2, features: 5, hidden: [], direct: false, addend: false },
    { n: 17, features: 3, hidden: [8, 4], direct: false, addend: true },
    { n: 2, features: 9, hidden: [25, 17, 31], direct: true, addend: true },
    { n: 5, features: 17, hidden: [40, 33], direct: false, addend: false },
    { n: 40, features: 6, hidden: [11], direct: true, addend: true },
  ]
    .map((sizes, k) =>
      madeCase({
        ...sizes,
        activation: k % 2 ? 'softplus' : 'tanh',
        scale: (['tanh', 'none', 'gate'] as const)[k % 3]!,
      }),
    )
    .concat([residualCase(3, 4, 6), residualCase(19, 7, 21)]),
  errors: [
    {
      name: 'width of the output layer',
      run: () => {
        const extents = tensorOfArray(Int32Array.of(0, 0), [2]);
        const output = { weight: f32([2, 3]), bias: null, extents };
        return madeInverse(f32([2, 3]), { hiddenLayers: [], output, activation: 'relu' });
      },
      code: 'SHAPE',
      says: /\[madeInverse\] output layer, weight: expected shape \[6, 3\], got \[2, 3\]/,
    },
  ],
};
