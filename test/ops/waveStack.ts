import { waveStack } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

interface Sizes {
  readonly sequences: number;
  readonly length: number;
  /** R, G, S, C. */
  readonly channels: readonly [number, number, number, number];
  readonly dilations: readonly number[];
}

/** The layers from their definition, one number at a time. */
export function reference(
  { sequences, length, channels, dilations }: Sizes,
  inputs: Float64Array[],
) {
  const [R, G, S, C] = channels;
  const rows = sequences * length;
  const at = C > 0 ? 2 : 1;
  const condition = C > 0 ? inputs[1]! : new Float64Array();
  let h = inputs[0]!;
  const skip = new Float64Array(rows * S);
  for (const [l, dilation] of dilations.entries()) {
    const [W, b, Wo, bo] = inputs.slice(at + 4 * l, at + 4 * l + 4) as Float64Array[];
    const next = h.slice();
    for (let p = 0; p < rows; p++) {
      const z = Array.from({ length: 2 * G }, (_, o) => {
        const w = W!.subarray(o * (2 * R + C));
        let sum = b![o]!;
        for (let i = 0; i < R; i++) {
          if (p % length >= dilation) sum += w[i]! * h[(p - dilation) * R + i]!;
          sum += w[R + i]! * h[p * R + i]!;
        }
        for (let i = 0; i < C; i++) sum += w[2 * R + i]! * condition[p * C + i]!;
        return sum;
      });
      const outputs = l + 1 < dilations.length ? S + R : S;
      for (let o = 0; o < outputs; o++) {
        let sum = bo![o]!;
        for (let i = 0; i < G; i++)
          sum += (Wo![o * G + i]! * Math.tanh(z[i]!)) / (1 + Math.exp(-z[G + i]!));
        if (o < S) skip[p * S + o]! += sum;
        else next[p * R + o - S]! += sum;
      }
    }
    h = next;
  }
  return { shape: [rows, S], values: skip };
}

function caseOf(name: string, sizes: Sizes): OpCase {
  const { sequences, length, channels, dilations } = sizes;
  const [R, G, S, C] = channels;
  const rows = sequences * length;
  const scaled = (fan: number) => (draw: (n: number, s?: number) => Float64Array, n: number) =>
    draw(n, 1 / Math.sqrt(fan));
  return {
    name,
    inputs: [
      { shape: [rows, R] },
      ...(C > 0 ? [{ shape: [rows, C] }] : []),
      ...dilations.flatMap((_, l) => {
        const outputs = l + 1 < dilations.length ? S + R : S;
        return [
          { shape: [2 * G, 2 * R + C], values: scaled(2 * R + C) },
          { shape: [2 * G] },
          { shape: [outputs, G], values: scaled(G) },
          { shape: [outputs] },
        ];
      }),
    ],
    run: (x, ...rest) => {
      const condition = C > 0 ? rest.shift()! : null;
      return waveStack(
        x!,
        dilations.map((dilation, l) => ({
          dilation,
          weight: rest[4 * l]!,
          bias: rest[4 * l + 1]!,
          outputWeight: rest[4 * l + 2]!,
          outputBias: rest[4 * l + 3]!,
        })),
        { length, condition },
      );
    },
    expected: (...inputs) => reference(sizes, inputs as Float64Array[]),
    // Sums of 2R + C and G products in each layer, whose errors the next ones pass on.
    units: 4 * dilations.length * (2 * R + C + G),
    gradientUnits: 64 * dilations.length + rows,
    second: 'unsupported',
  };
}

export const contract: OpContract = {
  module: 'waveStack',
  native: ['wave_stack', 'wave_stack_grad'],
  cases: [
    // Odd widths; one layer; dilations that reach to and beyond the start.
    caseOf('one layer', { sequences: 2, length: 3, channels: [1, 1, 1, 0], dilations: [1] }),
    caseOf('dilations 1, 2, 4 of 5 samples', {
      sequences: 2,
      length: 5,
      channels: [3, 2, 4, 0],
      dilations: [1, 2, 4],
    }),
    caseOf('beyond the start, with a condition', {
      sequences: 3,
      length: 4,
      channels: [5, 7, 3, 2],
      dilations: [4, 9, 1],
    }),
    // More rows than a block has, two panels.
    caseOf('several blocks', {
      sequences: 2,
      length: 63,
      channels: [1, 17, 1, 0],
      dilations: [1, 60],
    }),
  ],
  errors: [
    {
      name: 'rows that are no whole sequences',
      run: () => waveStack(f32([5, 2]), [layer(2, 3, 4)], { length: 2 }),
      code: 'SHAPE',
      says: /\[waveStack\] x: expected shape \[N·2, channels\], got \[5, 2\]/,
    },
    {
      name: 'a weight for another condition',
      run: () => waveStack(f32([4, 2]), [layer(2, 3, 4)], { length: 2, condition: f32([4, 3]) }),
      code: 'SHAPE',
      says: /layers\[0\]\.weight: expected shape \[6, 7\], got \[6, 4\]/,
    },
    {
      name: 'no layers',
      run: () => waveStack(f32([4, 2]), [], { length: 2 }),
      code: 'ARGUMENT',
      says: /layers: expected at least one, got none/,
    },
    {
      name: 'a dilation of 0',
      run: () => waveStack(f32([4, 2]), [{ ...layer(2, 3, 4), dilation: 0 }], { length: 2 }),
      code: 'ARGUMENT',
      says: /layers\[0\]\.dilation: expected a whole number ≥ 1, got 0/,
    },
  ],
};

function layer(channels: number, gated: number, skips: number) {
  return {
    dilation: 1,
    weight: f32([2 * gated, 2 * channels]),
    bias: f32([2 * gated]),
    outputWeight: f32([skips, gated]),
    outputBias: f32([skips]),
  };
}
