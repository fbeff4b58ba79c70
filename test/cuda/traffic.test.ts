/**
 * The bytes that kernels load and store, counted by the emulation, against the floor: every operand once. What is limited by
 * memory on a GPU may cost 10 % more than that.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { native } from '../../lib/native';
import {
  adam,
  affineCoupling,
  affineCouplingInverse,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  channelAffine,
  channelAffineInverse,
  makeAdamState,
  RandomStream,
  sum,
} from '../../lib/ops';
import { onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

const bytes = 4; // of a float32
const slack = 1.1;

interface Traffic {
  readonly bytes: number;
  /** Of these, by accesses of 16 bytes. */
  readonly wide: number;
  readonly launches: number;
}

/** What `body` moves; `settle` names a tensor that waits for it. */
function trafficOf(settle: Tensor, body: () => unknown): Traffic {
  settle.dataSync(); // what was queued before
  native.cudaSet('clearCounters', 1);
  body();
  settle.dataSync();
  const moved = native.cudaGet('loaded') + native.cudaGet('stored');
  const wide = 16 * native.cudaGet('wide');
  return { bytes: moved, wide, launches: native.cudaGet('launches') };
}

interface Case {
  readonly name: string;
  /** Shapes of normal numbers. */
  readonly inputs: readonly (readonly number[])[];
  readonly run: (...inputs: Tensor[]) => unknown;
  /** Bytes of all operands. */
  readonly floor: number;
  readonly launches: number;
  /** The least part of the bytes that goes by 16. */
  readonly wide: number;
}

const N = 2048;
const D = 64;
const positions = 2048;
const images = 16;
const C = 12;

const cases: readonly Case[] = [
  ...[affineCoupling, affineCouplingInverse].map((run) => ({
    name: `${run.name}: half of ${D} columns`,
    inputs: [
      [N, D],
      [N, D],
    ],
    run: (x: Tensor, params: Tensor) => run(x, params, { start: D / 2 }),
    floor: N * (3 * D * bytes + 8),
    launches: 1,
    wide: 0.95,
  })),
  {
    name: 'affineCoupling: half of 12 channels of images',
    inputs: [
      [images * positions, C],
      [images * positions, C],
    ],
    run: (x, params) => affineCoupling(x, params, { start: C / 2, positions }),
    floor: images * (positions * 3 * C * bytes + 8),
    launches: 1,
    wide: 0, // six channels: 8 bytes at a time
  },
  {
    name: 'affineCoupling: a checkerboard',
    inputs: [
      [images * positions, 4],
      [images * positions, 8],
    ],
    run: (x, params) =>
      affineCoupling(x, params, { positions, checkerboard: { width: 32, parity: 1 } }),
    floor: images * (positions * (2 * 4 + 8 / 2) * bytes + 8),
    launches: 1,
    wide: 0.9,
  },
  {
    name: 'affineCoupling: two large images, in pieces',
    inputs: [
      [2 * images * positions, 4],
      [2 * images * positions, 4],
    ],
    run: (x, params) => affineCoupling(x, params, { start: 2, positions: images * positions }),
    floor: 2 * (images * positions * 12 * bytes + 8),
    launches: 2,
    wide: 0,
  },
  ...[autoregressiveAffine, autoregressiveAffineInverse].map((run) => ({
    name: `${run.name}: ${D} columns`,
    inputs: [
      [N, D],
      [N, 2 * D],
    ],
    run: (x: Tensor, params: Tensor) => run(x, params),
    floor: N * (4 * D * bytes + 8),
    launches: 1,
    wide: 0.95,
  })),
  {
    name: 'autoregressiveAffine: 43 columns',
    inputs: [
      [N, 43],
      [N, 86],
    ],
    run: (x, params) => autoregressiveAffine(x, params),
    floor: N * (4 * 43 * bytes + 8),
    launches: 1,
    wide: 0,
  },
  ...[channelAffine, channelAffineInverse].map((run) => ({
    name: `${run.name}: images of ${C} channels`,
    inputs: [[images * positions, C], [C], [C]],
    run: (x: Tensor, logScale: Tensor, shift: Tensor) => run(x, logScale, shift, positions),
    floor: images * (positions * 2 * C * bytes + 8) + 2 * C * bytes,
    launches: 1,
    wide: 0.85,
  })),
];

describe.runIf(isEmulated)('bytes over the floor', () => {
  it.each(cases.map((test) => [test.name, test] as const))('%s', (_, test) => {
    onDevice('cuda', () =>
      scope(() => {
        const stream = new RandomStream(1);
        const inputs = test.inputs.map((shape) => stream.normal(shape));
        const found = trafficOf(stream.state, () => test.run(...inputs));
        expect(found.bytes).toBeGreaterThanOrEqual(test.floor); // or the floor is wrong
        expect(found.bytes / test.floor).toBeLessThanOrEqual(slack);
        expect(found.wide / found.bytes).toBeGreaterThanOrEqual(test.wide);
        expect(found.launches).toBe(test.launches);
        stream.dispose();
      }),
    );
  });

  it('adam: all parameters of a model, and the count of steps, in one launch', () => {
    onDevice('cuda', () =>
      scope(() => {
        const stream = new RandomStream(2);
        const shapes = Array.from({ length: 30 }, (_, i) => (i % 2 ? [128] : [128, 128 + i]));
        const lists = Array.from({ length: 4 }, () => shapes.map((shape) => stream.normal(shape)));
        const [parameters, gradients, firstMoments, secondMoments] = lists as [
          Tensor[],
          Tensor[],
          Tensor[],
          Tensor[],
        ];
        const state = makeAdamState({ lr: 1e-3 });
        const found = trafficOf(state, () =>
          adam({ state, parameters, gradients, firstMoments, secondMoments }),
        );
        const floor =
          shapes.reduce((total, shape) => total + shape.reduce((a, b) => a * b), 0) * 7 * bytes;
        expect(found.bytes).toBeGreaterThanOrEqual(floor);
        expect(found.bytes / floor).toBeLessThanOrEqual(slack);
        expect(found.wide / found.bytes).toBeGreaterThanOrEqual(0.95);
        expect(found.launches).toBe(1);
        stream.dispose();
      }),
    );
  });

  it('the gradient of affineCoupling: one pass', () => {
    onDevice('cuda', () =>
      scope(() => {
        const stream = new RandomStream(3);
        const x = stream.normal([N, D]);
        const params = stream.normal([N, D]);
        const before = () => sum(affineCoupling(x, params).y);
        const forward = trafficOf(stream.state, before);
        const both = trafficOf(stream.state, () => valueAndGradient(before, [x, params]));
        // x, params, dy; dx, dparams. And dy itself is expanded from one number.
        const floor = (5 * N * D + N * D) * bytes;
        expect((both.bytes - forward.bytes) / floor).toBeLessThanOrEqual(slack);
        stream.dispose();
      }),
    );
  });
});
