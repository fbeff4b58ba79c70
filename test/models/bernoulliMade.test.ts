/** MADE on binary data: against PyTorch, and by counting all states of a small one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Flow } from '../../lib/flows';
import { BernoulliMade, type BernoulliMadeOptions } from '../../lib/models';
import { affineScalar, mean } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { randomize } from '../bijections/cases';
import { own } from '../disposables';
import { expectClose } from '../reference/close';
import { goldenCases, values } from '../reference/goldens';

function make(options: BernoulliMadeOptions, seed?: number): BernoulliMade {
  const model = own(new BernoulliMade(options));
  if (seed !== undefined) randomize(model, seed, 1.2);
  return model;
}
/** Every row of {0, 1}^D. */
function allStates(features: number): Float64Array {
  const states = new Float64Array(2 ** features * features);
  for (let s = 0; s < 2 ** features; s++) {
    for (let d = 0; d < features; d++) states[s * features + d] = (s >> d) & 1;
  }
  return states;
}

describe.each(goldenCases('bernoulliMade'))('golden $name', (golden) => {
  it('has the log-probabilities and gradients of PyTorch', () => {
    const { features, hidden, activation, direct, inputDegrees } = golden.made;
    const order = inputDegrees.map((_, place) => inputDegrees.indexOf(place + 1));
    const model = make({
      order,
      features,
      hidden,
      activation: activation as 'relu',
      direct,
      dtype: 'float64',
    });
    const parameters = model.namedParameters();
    for (const [name, tensor] of parameters) tensor.write(values(golden.made.params[name]));
    const x = tensorOfArray(values(golden.inputs.x), [
      golden.inputs.x.shape[0] as number,
      features,
    ]);
    // A dot product of some tens of terms, twice.
    expectClose(
      scope(() => model.logProb(x).dataSync()),
      values(golden.outputs.logProb),
      200,
      'logProb',
    );
    const { value, gradients } = valueAndGradient(
      () => affineScalar(mean(model.logProbOfRows(x)), -1, 0),
      [...parameters.values()],
    );
    expectClose([value.item()], [golden.outputs.loss], 200, 'loss');
    for (const [k, name] of [...parameters.keys()].entries()) {
      expectClose(gradients[k]?.dataSync() ?? [], values(golden.gradients[name]), 1000, name);
      gradients[k]?.dispose();
    }
    value.dispose();
    x.dispose();
  });
});

const variants: [string, Partial<BernoulliMadeOptions>][] = [
  ['one mask', {}],
  ['direct connections', { direct: true }],
  ['random orders', { order: 'random', masks: 3, direct: true }],
  ['random connectivity', { degrees: 'random', masks: 3 }],
  [
    'random orders and connectivity, two layers',
    { order: 'random', degrees: 'random', masks: 4, hidden: [9, 7], seed: 5 },
  ],
];

describe.each(variants)('%s', (_name, options) => {
  const features = 5;
  const build = (seed = 3) =>
    make({ features, hidden: [11], activation: 'tanh', dtype: 'float64', ...options }, seed);

  it('has probabilities that add up to 1, by each mask and by their average', () => {
    const model = build();
    const states = allStates(features);
    const rows = tensorOfArray(states, [2 ** features, features]);
    const total = (logProb: ArrayLike<number>) =>
      Array.from(logProb).reduce((sum, v) => sum + Math.exp(v), 0);
    scope(() => {
      for (let mask = 0; mask < model.masks; mask++) {
        model.useMask(mask);
        expect(total(model.logProbOfRows(rows).dataSync())).toBeCloseTo(1, 12);
      }
      expect(total(model.logProb(rows).dataSync())).toBeCloseTo(1, 12);
    });
    rows.dispose();
  });

  it('uses a model of its own for each mask, and averages probabilities', () => {
    const model = build();
    const states = allStates(features);
    const rows = tensorOfArray(states, [2 ** features, features]);
    scope(() => {
      const each = Array.from({ length: model.masks }, (_, mask) => {
        model.useMask(mask);
        return model.logProbOfRows(rows).toArray();
      });
      const average = each[0]?.map((_, s) =>
        Math.log(each.reduce((sum, one) => sum + Math.exp(one[s] as number), 0) / each.length),
      );
      expectClose(model.logProb(rows).dataSync(), average ?? [], 100, 'average');
      if (model.masks > 1) expect(each[1]).not.toEqual(each[0]);
    });
    rows.dispose();
  });

  it('samples what it scores', () => {
    const model = build();
    const n = 20_000;
    const states = allStates(features);
    const logProb = scope(() =>
      model.logProb(tensorOfArray(states, [2 ** features, features]), { masks: 1 }).toArray(),
    );
    const samples = scope(() => model.sample(n, { seed: 8 }).toArray());
    const counts = new Array<number>(2 ** features).fill(0);
    for (let i = 0; i < n; i++) {
      let state = 0;
      for (let d = 0; d < features; d++) state += (samples[i * features + d] as number) * 2 ** d;
      counts[state] = (counts[state] as number) + 1;
    }
    for (const [state, count] of counts.entries()) {
      const p = Math.exp(logProb[state] as number);
      // Five binomial standard errors, and one count.
      expect(Math.abs(count / n - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n) + 1 / n);
    }
  });

  it('learns, masks changing from step to step, recorded and not alike', async () => {
    // Each row is one of three patterns: entropy log 3.
    const patterns = [
      [1, 0, 1, 1, 0],
      [0, 0, 1, 0, 1],
      [1, 1, 0, 0, 0],
    ];
    const train = Uint8Array.from(
      Array.from({ length: 300 }, (_, i) => patterns[i % 3] as number[]).flat(),
    );
    const results = [];
    for (const compile of [true, false]) {
      const model = make({
        features,
        hidden: [32],
        activation: 'relu',
        ...options,
        ...(options.hidden ? { hidden: [32, 32] } : {}),
      });
      await fit(model, train, {
        epochs: 60,
        batchSize: 50,
        optimizer: adam({ lr: 1e-2 }),
        seed: 1,
        compile,
      });
      results.push(model.namedParameters());
      const score = scope(
        () =>
          model
            .logProb(train)
            .toArray()
            .reduce((a, b) => a + b, 0) / 300,
      );
      expect(score).toBeGreaterThan(-1.75);
      expect(score).toBeLessThan(-Math.log(3) + 1e-3);
    }
    const [compiled, eager] = results;
    for (const [name, tensor] of compiled ?? [])
      expect(eager?.get(name)?.dataSync(), name).toEqual(tensor.dataSync());
  });
});

describe('memory and errors', () => {
  it('leaves nothing behind', () => {
    const before = memory().buffers;
    const model = new BernoulliMade({
      features: 4,
      hidden: [6],
      order: 'random',
      degrees: 'random',
      masks: 2,
    });
    scope(() => {
      model.sample(3, { seed: 1 });
      model.logProb([[0, 1, 1, 0]]);
    });
    model.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('is the same again from its file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'made-'));
    const path = join(folder, 'made.safetensors');
    const model = make(
      { features: 4, hidden: [6], order: [2, 0, 3, 1], degrees: 'random', masks: 2 },
      5,
    );
    await model.save(path);
    const again = await BernoulliMade.load(path);
    own(again);
    const rows = Uint8Array.from(allStates(4));
    scope(() => expect(again.logProb(rows).dataSync()).toEqual(model.logProb(rows).dataSync()));
    await expect(Flow.load(path)).rejects.toMatchObject({ code: 'FORMAT' });
    rmSync(folder, { recursive: true });
  });

  it('names sizes that make no sense', () => {
    expect(() => new BernoulliMade({ features: 4, hidden: [] })).toThrow(
      /hidden: expected a list of widths, at least one, got \[\]/,
    );
    expect(() => new BernoulliMade({ features: 0, hidden: [3] })).toThrow(/whole number ≥ 1/);
  });
});
