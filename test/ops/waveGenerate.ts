import { type WaveSampleKind, waveGenerate } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { unitInterval } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { reference as stack } from './waveStack';

const levels = 5;
const hidden = 6;

/** Draws sample after sample from whole passes of the definition. */
function reference(
  kind: WaveSampleKind,
  sequences: number,
  length: number,
  channels: readonly [number, number, number, number],
  dilations: readonly number[],
  inputs: Float64Array[],
  start = 0,
) {
  const [R, , S, C] = channels;
  const [noise, condition] = [inputs[0]!, C > 0 ? inputs[1]! : null];
  const [first, ...rest] = inputs.slice(C > 0 ? 2 : 1);
  const firstBias = kind === 'categorical' ? null : rest.shift()!;
  const [W1, b1, W2, b2] = rest.splice(0, 4);
  const given = start > 0 ? rest.shift()! : null;
  const weights = rest;
  const x = new Float64Array(sequences * length);
  const outputs = b2!.length;
  for (let n = 0; n < sequences; n++) {
    for (let t = 0; t < length; t++) {
      if (t < start) {
        x[n * length + t] = given![n * start + t]!;
        continue;
      }
      const h = new Float64Array((t + 1) * R);
      for (let p = 0; p <= t; p++) {
        const before = p > 0 ? x[n * length + p - 1]! : 0;
        const value = kind === 'logistic' && p > 0 ? (2 * before) / (levels - 1) - 1 : before;
        for (let i = 0; i < R; i++) {
          h[p * R + i] =
            kind === 'categorical'
              ? first![(p > 0 ? before : levels) * R + i]!
              : first![i]! * value + firstBias![i]!;
        }
      }
      const its = condition ? [condition.slice(n * length * C, (n * length + t + 1) * C)] : [];
      const sizes = { sequences: 1, length: t + 1, channels, dilations };
      const skip = stack(sizes, [h, ...its, ...weights]).values.slice(t * S);
      const relu = (v: ArrayLike<number>) => Array.from(v, (a) => Math.max(0, a));
      const linear = (w: Float64Array, b: Float64Array, v: number[]) =>
        Array.from(b, (a, o) => v.reduce((sum, vi, i) => sum + w[o * v.length + i]! * vi, a));
      const out = linear(W2!, b2!, relu(linear(W1!, b1!, relu(skip))));
      const u = noise[(n * length + t) * (kind === 'logistic' ? 2 : 1)]!;
      const at = n * length + t;
      const logScale = Math.max(-1, out[1]!);
      if (kind === 'normal') x[at] = out[0]! + Math.exp(logScale) * u;
      else if (kind === 'inverse') x[at] = (u - out[0]!) * Math.exp(-logScale);
      else {
        const count = kind === 'logistic' ? outputs / 3 : levels;
        const e = out.slice(0, count).map(Math.exp);
        const total = e.reduce((a, b) => a + b);
        let sum = e[0]!;
        let k = 0;
        while (sum <= u * total && k < count - 1) sum += e[++k]!;
        const second = noise[2 * at + 1]!;
        const scale = Math.exp(Math.max(-1, out[2 * count + k]!));
        const drawn = out[count + k]! + scale * Math.log(second / (1 - second));
        const level = Math.floor(((drawn + 1) / 2) * (levels - 1) + 0.5);
        x[at] = kind === 'categorical' ? k : Math.min(levels - 1, Math.max(0, level));
      }
    }
  }
  return { shape: [sequences, length], values: x };
}

function caseOf(
  kind: WaveSampleKind,
  [sequences, length]: readonly [number, number],
  channels: readonly [number, number, number, number],
  start = 0,
): OpCase {
  const [R, G, S, C] = channels;
  const dilations = [1, 2, 4];
  const outputs = kind === 'categorical' ? levels : kind === 'logistic' ? 6 : 2;
  const each = kind === 'logistic' ? 2 : 1;
  const uniform = kind === 'categorical' || kind === 'logistic';
  return {
    name: `${kind}, ${sequences} × ${length}${start > 0 ? `, ${start} given` : ''}`,
    inputs: [
      { shape: [sequences, length * each], ...(uniform && { values: unitInterval }) },
      ...(C > 0 ? [{ shape: [sequences * length, C] }] : []),
      ...(kind === 'categorical'
        ? [{ shape: [levels + 1, R] }]
        : [{ shape: [R, 1] }, { shape: [R] }]),
      { shape: [hidden, S] },
      { shape: [hidden] },
      { shape: [outputs, hidden] },
      { shape: [outputs] },
      ...(start > 0 ? [{ shape: [sequences, start] }] : []),
      ...dilations.flatMap((_, l) => {
        const rows = l + 1 < dilations.length ? S + R : S;
        return [
          { shape: [2 * G, 2 * R + C] },
          { shape: [2 * G] },
          { shape: [rows, G] },
          { shape: [rows] },
        ];
      }),
    ].map((input) => ({ values: (draw, count) => draw(count, 0.5), ...input })),
    run: (noise, ...rest) => {
      const condition = C > 0 ? rest.shift()! : null;
      const weight = rest.shift()!;
      const bias = kind === 'categorical' ? null : rest.shift()!;
      const [headWeight, headBias, lastWeight, lastBias] = rest.splice(0, 4);
      const given = start > 0 ? rest.shift()! : null;
      const more = rest;
      return waveGenerate(
        noise!,
        {
          inputWeight: weight,
          inputBias: bias,
          headWeight: headWeight!,
          headBias: headBias!,
          lastWeight: lastWeight!,
          lastBias: lastBias!,
          layers: dilations.map((dilation, l) => ({
            dilation,
            weight: more[4 * l]!,
            bias: more[4 * l + 1]!,
            outputWeight: more[4 * l + 2]!,
            outputBias: more[4 * l + 3]!,
          })),
        },
        { kind, levels, leastLogScale: -1, condition, given },
      );
    },
    expected: (...inputs) =>
      reference(kind, sequences, length, channels, dilations, inputs as Float64Array[], start),
    // Errors of each sample go on into the next ones; levels are whole.
    units: uniform ? 0 : 400,
    gradient: false,
  };
}

export const contract: OpContract = {
  module: 'waveGenerate',
  native: ['wave_generate'],
  cases: [
    caseOf('categorical', [3, 9], [3, 5, 4, 2]),
    caseOf('logistic', [2, 7], [17, 4, 9, 0]),
    caseOf('normal', [1, 11], [4, 9, 3, 1]),
    caseOf('normal', [2, 9], [3, 2, 3, 0], 4),
    // Groups of sequences.
    caseOf('normal', [33, 4], [5, 3, 7, 0]),
    caseOf('inverse', [9, 9], [2, 3, 2, 3]),
  ],
  errors: [
    {
      name: 'noise of another width',
      run: () => waveGenerate(f32([2, 5]), network(), { kind: 'logistic' }),
      code: 'SHAPE',
      says: /\[waveGenerate\] noise: expected shape \[N, T·2\], got 5 columns/,
    },
    {
      name: 'a beginning longer than the whole',
      run: () => waveGenerate(f32([2, 4]), network(), { kind: 'normal', given: f32([2, 5]) }),
      code: 'SHAPE',
      says: /given: expected shape \[2, up to 4\], got \[2, 5\]/,
    },
    {
      name: 'outputs of another kind',
      run: () => waveGenerate(f32([2, 5]), network(), { kind: 'inverse' }),
      code: 'SHAPE',
      says: /lastWeight: expected shape \[2, 4\], got \[3, 4\]/,
    },
  ],
};

function network() {
  return {
    inputWeight: f32([2, 1]),
    inputBias: f32([2]),
    headWeight: f32([4, 3]),
    headBias: f32([4]),
    lastWeight: f32([3, 4]),
    lastBias: f32([3]),
    layers: [
      {
        dilation: 1,
        weight: f32([4, 4]),
        bias: f32([4]),
        outputWeight: f32([3, 2]),
        outputBias: f32([3]),
      },
    ],
  };
}
