// Sequences: a WaveNet of 3 × 10 layers of 64 channels and 256 levels on 16,000 samples, and its residual layers as single
// instructions. wavenet:sample is one sample; PyTorch draws it from a pass over the 3070 samples that it depends on.
import flow from '../../dist/index.js';
import { matrix, vector } from '../instruction.mjs';
import { kernel } from './kernels.mjs';
import { trainingStep } from './step.mjs';

const channels = 64;

/** `count` layers of 64 channels and 64 skips over one sequence, dilations 1, 2, 4, … */
function stacks(length, count) {
  const rows = (columns) => matrix(length, columns);
  const scale = 1 / Math.sqrt(2 * channels);
  const layers = Array.from({ length: count }, (_, l) => ({
    outputs: l + 1 < count ? 2 * channels : channels,
    weight: () => matrix(2 * channels, 2 * channels, { scale }),
  }));
  const outputWeight = ({ outputs }) => matrix(outputs, channels, { scale });
  const flops = layers.reduce(
    (total, { outputs }) => total + 2 * length * channels * (4 * channels + outputs),
    0,
  );
  const attributes = [length, ...layers.map((_, l) => 2 ** l)];
  const label = `${length}x${channels} ${count} layers`;
  return [
    kernel('wave_stack', label, { flops }, () => [
      [
        rows(channels),
        null,
        ...layers.flatMap((layer) => [
          layer.weight(),
          vector(2 * channels),
          outputWeight(layer),
          vector(layer.outputs),
        ]),
      ],
      [
        rows(channels),
        ...layers.map(() => rows(2 * channels)),
        ...layers.slice(1).map(() => rows(channels)),
      ],
      attributes,
    ]),
    kernel('wave_stack_grad', label, { flops: 2 * flops }, () => [
      [
        rows(channels),
        rows(channels),
        null,
        ...layers.flatMap((layer, l) => [
          layer.weight(),
          outputWeight(layer),
          rows(2 * channels),
          l === 0 ? null : rows(channels),
        ]),
      ],
      [
        rows(channels),
        null,
        ...layers.flatMap((layer) => [
          layer.weight(),
          vector(2 * channels),
          outputWeight(layer),
          vector(layer.outputs),
        ]),
      ],
      attributes,
    ]),
  ];
}

/** A WaveNet of 64 channels and 256 levels, drawn sample after sample. */
function generation(sequences, length, count) {
  const scale = 1 / Math.sqrt(2 * channels);
  const of = (rows, columns) => matrix(rows, columns, { scale });
  const layers = Array.from({ length: count }, (_, l) => (l + 1 < count ? 2 : 1) * channels);
  const products = layers.reduce((sum, outputs) => sum + channels * (4 * channels + outputs), 0);
  const flops = 2 * sequences * length * (products + channels * (channels + 256));
  return kernel('wave_generate', `${sequences}x${length} ${count} layers`, { flops }, () => [
    [
      ...[matrix(sequences, length, { fill: (i) => ((i * 7919) % 1000) / 1000 }), null],
      ...[of(257, channels), null],
      ...[of(channels, channels), vector(channels), of(256, channels), vector(256)],
      null,
      ...layers.flatMap((outputs) => [
        ...[of(2 * channels, 2 * channels), vector(2 * channels)],
        ...[of(outputs, channels), vector(outputs)],
      ]),
    ],
    [matrix(sequences, length)],
    [0, 256, -7, length, ...layers.map((_, l) => 2 ** (l % 10))],
  ]);
}

const length = 16_000;
const drawn = 500;

const model = () => new flow.WaveNet({ length, seed: 1 });

const step = () => trainingStep(model(), matrix(1, length, { fill: (i) => (i * 7919) % 256 }));

export const sequenceCases = [
  { name: 'wavenet:step', peer: { name: 'wavenet:step' }, setUp: step },
  {
    // A run draws `drawn` samples, the peer one.
    name: 'wavenet:sample',
    peer: { name: 'wavenet:sample' },
    setUp() {
      const wave = model();
      return { run: () => wave.sample(1, { length: drawn, seed: 3 }).dispose(), per: drawn };
    },
    rates: (ms) => ({ samplesPerSecond: 1000 / ms }),
  },
  {
    // A student of four flows of 1, 1, 1 and 3 stacks, against a teacher of 3, 4000 samples each.
    name: 'wavenet:student-against-teacher',
    setUp() {
      const sizes = { length: 4000, seed: 1 };
      const teacher = new flow.WaveNet({ ...sizes, likelihood: { kind: 'normal' } });
      const student = new flow.ParallelWaveNet({ ...sizes, base: 'normal' });
      return {
        run: () => student.sample(1, { seed: 3 }).dispose(),
        against: [{ name: 'teacher', run: () => teacher.sample(1, { seed: 3 }).dispose() }],
      };
    },
    rates: (ms, { against }) => ({
      teacherMs: against.teacher.median,
      speedUp: against.teacher.median / ms,
    }),
  },
  ...stacks(2000, 4),
  generation(1, 30, 4),
];
