/** Data-dependent initialisation: what actnorm takes from the first rows, once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import {
  ActNorm,
  AffineCoupling,
  adam,
  BatchNorm,
  Chain,
  ConvNet,
  Coupling,
  conditionerSizes,
  conv2d,
  couplingSizes,
  Flow,
  fit,
  MaskedAutoregressive,
  MonotoneTransformer,
  MultiScale,
  memory,
  Permutation,
  Squeeze,
  StandardNormal,
  scope,
} from '../../lib';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { fixture } from '../reference/close';

const folder = mkdtempSync(join(tmpdir(), 'initialize-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Steps that move nothing by much: what is seen afterwards is the initialisation. */
const still = adam({ lr: 1e-9 });

const rows = 200;
const features = 3;
const draw = fixture(8);
/** Columns of different place and spread. */
const table = draw(rows * features).map((v, i) => v * [0.5, 3, 10][i % features]! + (i % features));

function moments(values: ArrayLike<number>, channels: number) {
  const n = values.length / channels;
  return Array.from({ length: channels }, (_, c) => {
    const own = Array.from({ length: n }, (_, k) => values[k * channels + c] as number);
    const mean = own.reduce((sum, v) => sum + v, 0) / n;
    const deviation = Math.sqrt(own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
    return { mean, deviation };
  });
}

function model(dtype: 'float32' | 'float64' = 'float64') {
  return new Flow({
    base: new StandardNormal(features, dtype),
    bijection: new Chain([
      new ActNorm({ channels: features, dtype }),
      new MaskedAutoregressive({ features, hidden: [8], seed: 3, zeroInitialized: false, dtype }),
      Permutation.reverse(features),
      new ActNorm({ channels: features, dtype }),
    ]),
  });
}

const actNorms = (flow: Flow) =>
  [...flow.modules()].flatMap(([, module]) => (module instanceof ActNorm ? [module] : []));
const state = (flow: Flow) =>
  actNorms(flow).map((norm) => [norm.logScale.toArray(), norm.shift.toArray()]);

describe('fit', () => {
  it('sets every actnorm from the rows as they arrive at it', async () => {
    const flow = model();
    expect(flow.bijection.initializes).toBe(true);
    await fit(flow, table, { steps: 1, optimizer: still, seed: 4 });
    const [first] = actNorms(flow);
    const expected = moments(table, features);
    for (const [c, { mean, deviation }] of expected.entries()) {
      expect(first!.logScale.toArray()[c]).toBeCloseTo(-Math.log(deviation), 7);
      expect(first!.shift.toArray()[c]).toBeCloseTo(-mean / deviation, 7);
    }
    const out = scope(() => flow.forward(table).y.toArray());
    for (const { mean, deviation } of moments(out, features)) {
      expect(mean).toBeCloseTo(0, 6);
      expect(deviation).toBeCloseTo(1, 6);
    }
    expect(flow.bijection.initializes).toBe(false);
    flow.dispose();
  });

  it('gives the same with a recorded step and without, and from the same seed', async () => {
    const results = [];
    for (const compile of [true, false]) {
      const flow = model('float32');
      await fit(flow, table, { steps: 3, seed: 6, batchSize: 50, compile, ema: 0.9 });
      results.push([...flow.namedParameters().values()].map((tensor) => tensor.toArray()));
      flow.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('takes the rows of the first steps, not later ones', async () => {
    // 10,000 rows, of which 256 make the statistics: two models with other seeds see others.
    const many = fixture(9)(10_000 * features);
    const scales = [];
    for (const seed of [1, 2]) {
      const flow = model();
      await fit(flow, many, { steps: 1, optimizer: still, seed });
      scales.push(state(flow));
      flow.dispose();
    }
    expect(scales[0]).not.toEqual(scales[1]);
  });

  it('does it once: not again for a model that was saved and loaded, whatever the data', async () => {
    const flow = model();
    await fit(flow, table, { steps: 1, optimizer: still });
    const path = join(folder, 'model.safetensors');
    await flow.save(path);
    const loaded = await Flow.load(path);
    expect(actNorms(loaded).map((norm) => norm.initialized)).toEqual([true, true]);
    await fit(
      loaded,
      table.map((v) => 100 * v + 7),
      { steps: 1, optimizer: still },
    );
    for (const [k, tensors] of state(loaded).entries())
      for (const [j, values] of tensors.entries())
        for (const [c, value] of values.entries())
          expect(value).toBeCloseTo(state(flow)[k]![j]![c]!, 6);
    flow.dispose();
    loaded.dispose();
  });

  it('resumes without it: the trajectory is that of an uninterrupted training', async () => {
    const options = { batchSize: 40, seed: 3, optimizer: adam({ lr: 1e-2 }) };
    const whole = model('float32');
    await fit(whole, table, { ...options, steps: 9 });
    const path = join(folder, 'checkpoint.safetensors');
    const begun = model('float32');
    await fit(begun, table, { ...options, steps: 4, checkpoint: { path } });
    const resumed = model('float32');
    await fit(resumed, table, { ...options, steps: 9, resume: path });
    expect(state(resumed)).toEqual(state(whole));
    for (const flow of [whole, begun, resumed]) flow.dispose();
  });

  it('names channels that do not vary, and gives them the floor', async () => {
    const flat = table.map((v, i) => (i % features === 1 ? 5 : v));
    const warnings: string[] = [];
    const flow = model();
    await fit(flow, flat, { steps: 1, optimizer: still, onWarning: (text) => warnings.push(text) });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^\[fit\] bijection\.0: channel 1 is constant in the 200 rows that initialise actnorm \(deviation below 0\.0001\)/,
    );
    const [first] = actNorms(flow);
    expect(first!.constantChannels).toEqual([1]);
    expect(first!.logScale.toArray()[1]).toBeCloseTo(Math.log(1e4), 6);
    expect(Number.isFinite(scope(() => flow.logProb(flat).toArray()[0]!))).toBe(true);
    flow.dispose();
  });

  it('warns through the process where nobody listens', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const flow = model();
    await fit(flow, new Float64Array(60).fill(2), { steps: 1, optimizer: still });
    expect(emit.mock.calls[0]).toEqual([
      expect.stringMatching(/channels 0, 1, 2 are constant/),
      'FlowWarning',
    ]);
    emit.mockRestore();
    flow.dispose();
  });

  it('leaves no tensor behind', async () => {
    const before = memory().buffers;
    const flow = model();
    await fit(flow, table, { steps: 1, optimizer: still });
    flow.dispose();
    expect(memory().buffers).toBe(before);
  });
});

describe('a flow that was never initialised', () => {
  it('is the identity in its actnorms', () => {
    scope(() => {
      const norm = new ActNorm({ channels: 2, positions: 2, dtype: 'float64' });
      const { y, logDet } = norm.forward(tensorOfArray(Float64Array.of(1, -2, 3, 4), [1, 4]));
      expect(y.toArray()).toEqual([1, -2, 3, 4]);
      expect(logDet.toArray()).toEqual([0]);
      norm.dispose();
    });
  });
});

/** Two levels over 4 × 4 × 2: [squeeze, first] of 8 channels; 4 go on to [squeeze, second] of 16. */
function levels<B extends ActNorm | BatchNorm>(first: B, second: B): MultiScale {
  return new MultiScale([
    {
      bijection: new Chain([new Squeeze({ height: 4, width: 4, channels: 2 }), first]),
      channels: 8,
    },
    {
      bijection: new Chain([new Squeeze({ height: 2, width: 2, channels: 4 }), second]),
      channels: 16,
    },
  ]);
}

describe('through the levels of an image flow', () => {
  const images = 40;
  const data = fixture(12)(images * 32).map((v, i) => v * (1 + (i % 7)) + (i % 3));

  const run = (bijection: MultiScale, what: 'initialize' | 'calibrate') =>
    scope(() => {
      const given = tensorOfArray(data.slice(), [images, 32]);
      for (const _ of bijection[what](given, null));
      const { y } = bijection.forward(tensorOfArray(data, [images, 32]));
      return { arrived: given.toArray(), y: y.toArray() };
    });

  /** The 16 features that leave at level 1 are 4 positions of 4 channels; those of level 2 one of 16. */
  const parts = (y: readonly number[]) => {
    const left = (k: number) => y.filter((_, i) => i % 32 < 16 === (k === 0));
    return [
      { values: left(0), channels: 4 },
      { values: left(1), channels: 16 },
    ];
  };

  it('each actnorm is set from what reaches its level', () => {
    const bijection = levels(
      new ActNorm({ channels: 8, positions: 4, dtype: 'float64' }),
      new ActNorm({ channels: 16, dtype: 'float64' }),
    );
    const { arrived, y } = run(bijection, 'initialize');
    expect(arrived).toEqual(y);
    for (const { values, channels } of parts(y))
      for (const { mean, deviation } of moments(values, channels)) {
        expect(mean).toBeCloseTo(0, 10);
        expect(deviation).toBeCloseTo(1, 10);
      }
    bijection.dispose();
  });

  it('each batch norm is calibrated with what reaches its level, over rows and positions', () => {
    const bijection = levels(
      new BatchNorm({ channels: 8, positions: 4, epsilon: 1e-12, dtype: 'float64' }),
      new BatchNorm({ channels: 16, epsilon: 1e-12, dtype: 'float64' }),
    );
    const { arrived, y } = run(bijection, 'calibrate');
    expect(arrived).toEqual(y);
    for (const { values, channels } of parts(y))
      for (const { mean, deviation } of moments(values, channels)) {
        expect(mean).toBeCloseTo(0, 9);
        expect(deviation).toBeCloseTo(1, 9);
      }
    bijection.dispose();
  });
});

describe('through a coupling whose network has actnorms', () => {
  const image = { height: 2, width: 3 };
  const images = 40;
  const data = fixture(14)(images * 12).map((v, i) => v * (1 + 5 * (i % 2)) + (i % 3));
  const network = (sizes: { inputs: number; outputs: number }) =>
    new ConvNet({ ...sizes, image, hidden: 4, actNorm: true, seed: 2, dtype: 'float64' });
  const affine = () => {
    const split = { kind: 'columns', transformed: 'first' } as const;
    const conditioner = network(conditionerSizes(2, split));
    return new AffineCoupling({ channels: 2, positions: 6, split, conditioner, dtype: 'float64' });
  };
  const bernstein = () => {
    const split = { kind: 'checkerboard', image, parity: 0 } as const;
    const transformer = new MonotoneTransformer({ kind: 'bernstein', degree: 3, bound: 6 });
    const conditioner = network(couplingSizes(2, split, transformer));
    return new Coupling({
      ...{ channels: 2, positions: 6, split, conditioner, transformer },
      dtype: 'float64',
    });
  };
  /** What the network sees of row i, column c: the second column; or both of the odd squares. */
  const sees = {
    columns: (v: number, _pixel: number, c: number) => (c === 1 ? [v] : []),
    checkerboard: (v: number, pixel: number) => [
      (Math.floor(pixel / 3) + (pixel % 3)) % 2 === 1 ? v : 0,
    ],
  };

  it.each([
    ['columns', affine],
    ['checkerboard', bernstein],
  ] as const)('they are set from what it sees: %s', (kind, make) => {
    const coupling = make();
    const { first } = coupling.conditioner as ConvNet;
    expect(coupling.initializes).toBe(true);
    scope(() => {
      const given = tensorOfArray(data.slice(), [images, 12]);
      for (const _ of coupling.initialize(given, null));
      expect(coupling.initializes).toBe(false);
      const { y } = coupling.forward(tensorOfArray(data, [images, 12]));
      expect(given.toArray()).toEqual(y.toArray());
      const seen = [...data].flatMap((v, i) => sees[kind](v, Math.floor(i / 2) % 6, i % 2));
      const x = tensorOfArray(Float64Array.from(seen), [images * 6, seen.length / images / 6]);
      const { height, width, kernel } = first.options;
      const { weight, bias } = first.effective();
      const made = conv2d(x, weight, bias, { height, width, kernel }).toArray();
      for (const { mean, deviation } of moments(made, 4)) {
        expect(mean).toBeCloseTo(0, 10);
        expect(deviation).toBeCloseTo(1, 10);
      }
    });
    coupling.dispose();
  });
});
