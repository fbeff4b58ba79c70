/** Training on the emulated GPU: the losses of the CPU, step by step; a graph a step; what happens when memory runs out. */
import { beforeAll, describe, expect, it } from 'vitest';
import { isFlowError } from '../../lib/errors';
import { type Flow, glow, iaf, maf, realnvp } from '../../lib/flows';
import { PixelCnn, vae } from '../../lib/models';
import { native } from '../../lib/native';
import { normalLogProb } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { type Device, onDevice } from '../../lib/tensor/device';
import { adam, evaluate, fit, fitReverseKl } from '../../lib/train';
import { expectClose, fixture } from '../reference/close';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

const steps = 20;

/** The losses of a seeded training. */
async function losses(device: Device, build: () => Flow, features: number): Promise<number[]> {
  const flow = build().to(device);
  const rows = fixture(5)(60 * features);
  const seen: number[] = [];
  const { compiled } = await fit(
    flow,
    { data: rows, rows: 60, cols: features },
    {
      batchSize: 20,
      steps,
      // Ahead of a batch norm a bias has no gradient but rounding errors, of which Adam's usual eps of 1e-8 makes steps.
      optimizer: adam({ lr: 1e-3, eps: 1e-4 }),
      seed: 4,
      onStep: ({ loss }) => {
        seen.push(loss);
      },
    },
  );
  expect(compiled).toBe(true);
  expect(flow.device).toBe(device);
  flow.dispose();
  return seen;
}

const image = { height: 4, width: 4, channels: 2 };
const models: [string, number, (dtype: 'float32' | 'float64') => Flow][] = [
  [
    'MAF',
    6,
    (dtype) =>
      maf({ features: 6, transforms: 2, hidden: [16, 16], batchNorm: true, dtype, seed: 1 }),
  ],
  ['RealNVP', 6, (dtype) => realnvp({ features: 6, transforms: 4, hidden: [16], dtype, seed: 1 })],
  [
    'Glow',
    32,
    (dtype) =>
      glow({ image, scales: 2, transforms: 2, hidden: 8, preprocessing: null, dtype, seed: 1 }),
  ],
];

describe.each(models)('%s', (_name, features, build) => {
  it.each([
    // Both devices round differently in each operation, and training carries it on: hundreds of eps after 20 steps.
    ['float64', 1e-12],
    ['float32', 2e-4],
  ] as const)('%s: the losses of 20 steps are those of the CPU', async (dtype, tolerance) => {
    const cpu = await losses('cpu', () => build(dtype), features);
    const cuda = await losses('cuda', () => build(dtype), features);
    expect(cuda).toHaveLength(steps);
    expect(cpu[0] as number).not.toBe(cpu[steps - 1]);
    cpu.forEach((loss, k) => {
      expect(Math.abs((cuda[k] as number) - loss), `step ${k + 1}`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(loss)),
      );
    });
  });
});

it('VAE: draws, bounds and losses are those of the CPU', async () => {
  const bits = Uint8Array.from({ length: 40 * 6 }, (_, k) => (7 * (k % 6) + k) % 2);
  const on = async (device: Device) => {
    const flows = {
      posterior: { transforms: 2, hidden: [8], contextFeatures: 3 },
      prior: { hidden: [8] },
    } as const;
    const objective = { freeBits: { nats: 0.01 }, warmup: { steps: 4 } };
    const model = vae({
      features: 6,
      latents: 2,
      hidden: [8],
      ...flows,
      ...objective,
      dtype: 'float64',
      seed: 1,
    });
    model.to(device);
    const seen: number[] = [];
    const { compiled } = await fit(model, bits, {
      ...{ batchSize: 20, steps: 6, seed: 4, optimizer: adam({ lr: 1e-2 }) },
      onStep: ({ loss }) => void seen.push(loss),
    });
    const { logProb } = await evaluate(model, bits, { samples: 3 });
    const drawn = model.sample(4, { seed: 2 });
    const sample = [...drawn.dataSync()];
    for (const part of [drawn, model]) part.dispose();
    return { compiled, numbers: [...seen, logProb], sample };
  };
  const [cpu, cuda] = [await on('cpu'), await on('cuda')];
  expect(cuda.compiled).toBe(true);
  expect(cuda.sample).toEqual(cpu.sample);
  expect(cpu.numbers[0]).not.toBe(cpu.numbers[5]);
  expectClose(cuda.numbers, cpu.numbers, 1e4, 'losses and bound');
});

it.runIf(isEmulated).each([
  ['', {}, 58],
  [' that clips and averages', { clipNorm: 1, ema: 0.99 }, 60],
] as const)('a step%s is one graph of few launches', async (_, options, most) => {
  const flow = maf({ features: 6, transforms: 5, hidden: [16, 16], seed: 1 }).to('cuda');
  const rows = { data: fixture(5)(160 * 6), rows: 160, cols: 6 };
  native.cudaSet('clearCounters', 1);
  const counts: number[] = [];
  const launches: number[] = [];
  await fit(flow, rows, {
    ...{ batchSize: 20, steps: 8, optimizer: adam({ lr: 1e-3 }), ...options },
    onStep: () => {
      counts.push(native.cudaGet('graphLaunches'));
      launches.push(native.cudaGet('launches'));
    },
  });
  // The first step runs eagerly while it is recorded.
  expect(counts).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  // Nothing beside the graphs.
  expect(launches[7]).toBe(launches[1]);
  // What a step costs on a GPU at small sizes: it may become less.
  expect(native.cudaGet('captured')).toBeLessThanOrEqual(most);
  flow.dispose();
});

it('a step that is not finite changes nothing, and the error says where and what to do', async () => {
  const network = { features: 3, transforms: 2, hidden: [8], dtype: 'float64', seed: 1 } as const;
  for (const options of [{}, { clipNorm: 1e9 }, { ema: 0.9 }]) {
    const flow = maf(network).to('cuda');
    const other = maf(network).to('cuda');
    const data = fixture(5)(40 * 3);
    // The first epoch meets the row once: the training up to there is that of fewer steps.
    data[3 * 17] = 1e200;
    const rows = { data, rows: 40, cols: 3 };
    const taken: number[] = [];
    const own = { batchSize: 4, steps: 10, seed: 6, memory: 'taped' } as const;
    const failed = await fit(flow, rows, {
      ...{ ...own, ...options },
      onStep: ({ step }) => void taken.push(step),
    }).catch((error: unknown) => error);
    expect(isFlowError(failed, 'NUMERIC')).toBe(true);
    expect((failed as Error).message).toMatch(
      new RegExp(
        `in step ${taken.length + 1} of epoch 1: .*expected finite numbers.*lower the learning rate`,
      ),
    );
    expect(taken.length).toBeGreaterThan(1);
    // An average would be put in the place of the weights at its end; the clip is too large to change a weight that is still finite.
    await fit(other, rows, { ...own, steps: taken.length });
    const values = (model: Flow) => model.parameters().map((each) => [...each.dataSync()]);
    expect(values(flow)).toEqual(values(other));
    for (const each of [flow, other]) each.dispose();
  }
});

it.runIf(isEmulated)(
  'without memory a step fails with a sentence, nothing is lost, and a smaller batch goes on',
  async () => {
    const flow = maf({ features: 6, transforms: 2, hidden: [64], seed: 1 }).to('cuda');
    const rows = { data: fixture(5)(4000 * 6), rows: 4000, cols: 6 };
    const { buffers: before, gpuBytes } = memory();
    const weights = flow.parameters().map((parameter) => [...parameter.dataSync()]);
    native.cudaSet('memory', native.cudaGet('deviceBytes') + (1 << 20));
    try {
      const failed = await fit(flow, rows, { batchSize: 4000, steps: 2 }).catch(
        (error: unknown) => error,
      );
      expect(isFlowError(failed, 'NATIVE')).toBe(true);
      expect((failed as Error).message).toMatch(/memory/);
      expect(flow.parameters().map((parameter) => [...parameter.dataSync()])).toEqual(weights);
      expect(memory()).toMatchObject({ buffers: before, gpuBytes });
      const { steps: taken } = await fit(flow, rows, { batchSize: 50, steps: 2 });
      expect(taken).toBe(2);
    } finally {
      native.cudaSet('memory', 2 ** 32);
    }
    flow.dispose();
  },
);

const endless = 2 ** 32;
it.runIf(isEmulated).each([
  [
    'memory ends',
    (k: number) =>
      native.cudaSet('memory', native.cudaGet('deviceBytes') + Math.ceil(512 * 1.3 ** k)),
    () => native.cudaSet('memory', endless),
  ],
  [
    'a launch is refused',
    (k: number) => native.cudaSet('failLaunch', 3 * k),
    () => native.cudaSet('failLaunch', -1),
  ],
] as const)(
  'wherever in a training %s: an error in words, nothing is lost, and it can be done again',
  async (_, break_, mend) => {
    const build = () => maf({ features: 3, transforms: 1, hidden: [8], seed: 1 }).to('cuda');
    const rows = { data: fixture(5)(8 * 3), rows: 8, cols: 3 };
    // The second step is captured, the third runs the graph.
    const train = (flow: Flow) => fit(flow, rows, { batchSize: 4, steps: 3, seed: 2 });
    const values = (model: Flow) => model.parameters().map((each) => [...each.dataSync()]);
    const wanted = build();
    await train(wanted);
    const wantedValues = values(wanted);
    wanted.dispose();
    for (let k = 0, failures = 0; ; k++) {
      const flow = build();
      const before = values(flow);
      native.trim();
      const { buffers } = memory();
      break_(k);
      const failed = await train(flow).catch((error: unknown) => error);
      mend();
      expect(memory().buffers, `after failure ${k}`).toBe(buffers);
      if (!isFlowError(failed, 'NATIVE')) {
        expect(failed).not.toBeInstanceOf(Error);
        expect(values(flow)).toEqual(wantedValues);
        expect(failures).toBeGreaterThan(4);
        flow.dispose();
        return;
      }
      failures++;
      expect(failed.message).toMatch(/memory|the GPU refused the work|graph/);
      // What failed after a step has that step.
      if (values(flow).every((own, i) => own.every((x, j) => x === before[i]?.[j]))) {
        await train(flow);
        expect(values(flow)).toEqual(wantedValues);
      }
      flow.dispose();
    }
  },
);

it('a density is fitted without data where the flow is', async () => {
  const seen: Record<string, number[]> = { cpu: [], cuda: [] };
  for (const device of ['cpu', 'cuda'] as const) {
    const network = { features: 2, transforms: 2, hidden: [8], contextFeatures: 1 };
    const flow = iaf({ ...network, dtype: 'float64', seed: 2 }).to(device);
    const context = Array.from({ length: 16 }, (_, k) => [k / 16]);
    await fitReverseKl(flow, (x) => normalLogProb(x), {
      ...{ steps: 5, samples: 16, context, optimizer: adam({ lr: 1e-3 }), seed: 3 },
      onStep: ({ loss }) => void seen[device]?.push(loss),
    });
    expect(flow.device).toBe(device);
    flow.dispose();
  }
  // Means of numbers of size 1, as rounding carries on through five steps.
  expectClose(seen['cuda']!, seen['cpu']!, 500, 'losses', 1);
});

it('a model of pixels scores where it is', () => {
  const sides = { height: 3, width: 3, channels: 1 };
  const model = new PixelCnn({ image: sides, layers: 1, hidden: 4, dtype: 'float64', seed: 2 });
  const x = Array.from({ length: 9 }, (_, k) => k % 2);
  const onCpu = model.logProb([x]).item();
  const found = model.to('cuda').logProb([x]);
  expect(found.device).toBe('cuda');
  expect(found.item()).toBeCloseTo(onCpu, 10);
  model.dispose();
});

it('files are the same: a model saved on one device scores alike on the other', async () => {
  const flow = maf({ features: 3, transforms: 2, hidden: [8], dtype: 'float64', seed: 2 });
  const x = [[0.1, -1, 2]];
  const onCpu = flow.logProb(x).item();
  flow.to('cuda');
  expect(flow.parameters().every((parameter) => parameter.device === 'cuda')).toBe(true);
  expect(flow.logProb(x).item()).toBeCloseTo(onCpu, 12);
  const sampled = onDevice('cpu', () => flow.sample(4, { seed: 1 }));
  expect(sampled.device).toBe('cuda');
  const fromCuda = [...sampled.dataSync()];
  flow.to('cpu');
  const fromCpu = [...flow.sample(4, { seed: 1 }).dataSync()];
  fromCuda.forEach((value, k) => {
    expect(value).toBeCloseTo(fromCpu[k] as number, 10);
  });
  flow.dispose();
});
