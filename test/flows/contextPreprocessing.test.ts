/** A fixed map of the context: the flow with it is the flow without it on contexts that were mapped before. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Affine, adam, Chain, evaluate, Flow, fit, inpaint, maf, realnvp } from '../../lib';
import { ActNorm } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { interpolate } from '../../lib/flows';
import { scope } from '../../lib/tensor/scope';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';

const folder = mkdtempSync(join(tmpdir(), 'flow-context-'));
const standardize = () =>
  Affine.standardize(Float64Array.of(50, -3), Float64Array.of(20, 0.5), 'float64');
const shape = {
  features: 3,
  contextFeatures: 2,
  transforms: 2,
  hidden: [6],
  dtype: 'float64',
  seed: 2,
} as const;
const draw = fixture(8);
const rows = Array.from({ length: 40 }, () => [...draw(3)]);
const mapped = Array.from({ length: 40 }, () => [...draw(2)]);
const raw = mapped.map(([a, b]) => [50 + 20 * (a as number), -3 + 0.5 * (b as number)]);

const pair = (): [Flow, Flow] => {
  const [plain, wise] = [
    realnvp(shape),
    realnvp({ ...shape, contextPreprocessing: standardize() }),
  ];
  for (const flow of [plain, wise]) randomize(flow.bijection, 4);
  return [plain, wise];
};
const [plain, wise] = pair();
afterAll(() => {
  plain.dispose();
  wise.dispose();
  rmSync(folder, { recursive: true });
});
const close = (a: readonly number[], b: readonly number[], digits = 10) => {
  expect(a.length).toBe(b.length);
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] as number, digits);
};

describe('contextPreprocessing', () => {
  it('stands before every use of the context', async () => {
    const known = [1, 0, 0];
    const uses: ((flow: Flow, context: number[][]) => Promise<number[]> | number[])[] = [
      (flow, context) => flow.logProb(rows, context).toArray(),
      (flow, context) => flow.forward(rows, context).y.toArray(),
      (flow, context) => flow.inverse(rows, context).x.toArray(),
      (flow, context) => flow.sample(40, { context, seed: 3 }).toArray(),
      (flow, context) => interpolate(flow, rows, rows.toReversed(), 3, { context }).toArray(),
    ];
    for (const use of uses)
      close(
        await scope(() => use(wise, raw) as number[]),
        await scope(() => use(plain, mapped) as number[]),
      );
    expect((await evaluate(wise, rows, { context: raw })).logProb).toBeCloseTo(
      (await evaluate(plain, rows, { context: mapped })).logProb,
      10,
    );
    const filled = await Promise.all(
      (
        [
          [wise, raw],
          [plain, mapped],
        ] as const
      ).map(async ([flow, context]) => {
        const { x, logProb } = await inpaint(flow, rows, known, {
          context,
          iterations: 5,
          seed: 1,
        });
        const values = x.toArray();
        for (const tensor of [x, logProb]) tensor.dispose();
        return values;
      }),
    );
    close(filled[0] as number[], filled[1] as number[]);
  });

  it('is there in training, and in what is set from data', async () => {
    const made = (contextPreprocessing: Affine | null) =>
      new Flow({
        base: new StandardNormal(3, 'float64'),
        bijection: new Chain([
          maf({ ...shape, batchNorm: true }).bijection,
          new ActNorm({ channels: 3, dtype: 'float64' }),
        ]),
        contextPreprocessing,
      });
    const trained = await Promise.all(
      (
        [
          [standardize(), raw],
          [null, mapped],
        ] as const
      ).map(async ([map, context]) => {
        const flow = made(map);
        await fit(flow, rows, {
          context,
          steps: 6,
          batchSize: 20,
          seed: 1,
          optimizer: adam({ lr: 0.01 }),
        });
        const score = scope(() => flow.logProb(rows, context).toArray());
        flow.dispose();
        return score;
      }),
    );
    // The contexts differ by rounding, which the first steps of Adam divide by slopes near zero.
    close(trained[0] as number[], trained[1] as number[], 7);
  });

  it('is saved', async () => {
    const path = join(folder, 'flow.safetensors');
    await wise.save(path);
    const loaded = await Flow.load(path);
    close(
      scope(() => loaded.logProb(rows, raw).toArray()),
      scope(() => wise.logProb(rows, raw).toArray()),
    );
    loaded.dispose();
  });

  it('has the columns of the context, and no parameters', () => {
    const of = (contextPreprocessing: Affine) => () => realnvp({ ...shape, contextPreprocessing });
    expect(of(Affine.uniform(3, 1, 0, 'float64'))).toThrow(
      /contextPreprocessing: expected 2 columns of the context, got 3/,
    );
    const learned = new Affine({
      logScale: [0, 0],
      shift: [0, 0],
      learned: true,
      dtype: 'float64',
    });
    expect(of(learned)).toThrow(
      /contextPreprocessing: expected bijections without parameters, got/,
    );
  });
});
