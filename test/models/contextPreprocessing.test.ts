/** A fixed map of the context before WaveNets, models of pixels and VAEs, as of flows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ActNorm,
  Affine,
  adam,
  distillation,
  evaluate,
  fit,
  type GenerativeModel,
  loadModel,
  ParallelWaveNet,
  PixelCnn,
  PixelRnn,
  scope,
  vae,
  WaveNet,
} from '../../lib';

const folder = mkdtempSync(join(tmpdir(), 'flow-context-'));
afterAll(() => rmSync(folder, { recursive: true }));

const dtype = 'float64';
/** Of deviation 100 and more: networks that saw them raw would say something else. */
const mean = Float64Array.of(300, -50, 7);
const deviation = Float64Array.of(100, 400, 3);
const map = (first: number, end: number) =>
  Affine.standardize(mean.slice(first, end), deviation.slice(first, end), dtype);
const image = { height: 2, width: 3, channels: 1 };
const likelihood = { kind: 'normal' } as const;
const wave = { length: 6, layers: 2, stacks: 1, hidden: 4, dtype, seed: 3 } as const;
const pixels = { image, hidden: 3, contextFeatures: 2, dtype, seed: 3 } as const;
type Map = { contextPreprocessing?: Affine };

/** A model, the columns of its context, and which of the numbers above each of them is. */
const cases: Record<string, [(map: Map) => GenerativeModel, number[], Affine]> = {
  'a WaveNet by frames': [
    (its) => new WaveNet({ ...wave, likelihood, ...its, local: { channels: 2, hop: 2 } }),
    [0, 1, 0, 1, 0, 1],
    map(0, 2),
  ],
  'a WaveNet by frames and the whole': [
    (its) =>
      new WaveNet({ ...wave, likelihood, ...its, local: { channels: 2, hop: 2 }, global: 1 }),
    [0, 1, 0, 1, 0, 1, 2],
    map(0, 3),
  ],
  'a ParallelWaveNet by the whole': [
    (its) => new ParallelWaveNet({ ...wave, stacks: [1, 1], ...its, global: 2 }),
    [0, 1],
    map(0, 2),
  ],
  'a PixelCnn': [
    (its) => new PixelCnn({ ...pixels, gated: true, layers: 1, ...its }),
    [0, 1],
    map(0, 2),
  ],
  'a PixelRnn': [(its) => new PixelRnn({ ...pixels, layers: 1, ...its }), [0, 1], map(0, 2)],
  'a VAE': [
    (its) =>
      vae({
        features: 6,
        latents: 2,
        hidden: [4],
        posterior: 'iaf',
        contextFeatures: 2,
        dtype,
        ...its,
      }),
    [0, 1],
    map(0, 2),
  ],
};

const teacher = new WaveNet({ ...wave, likelihood, seed: 9 });
afterAll(() => teacher.dispose());

describe.each(Object.entries(cases))('%s', (_name, [make, columns, its]) => {
  const rows = 5;
  const mapped = Array.from({ length: rows }, (_, n) =>
    columns.map((_, c) => Math.sin(3 * n + c + 1)),
  );
  // Numbers of the whole sequence are those of its first frame for the map.
  const raw = mapped.map((row) =>
    row.map((value, c) => mean[columns[c]!]! + deviation[columns[c]!]! * value),
  );
  const x = Array.from({ length: rows }, (_, n) =>
    Array.from({ length: 6 }, (_, t) => (n >> t) % 2),
  );
  const learn = async (model: GenerativeModel, context: number[][]) => {
    const student = model instanceof ParallelWaveNet && { loss: distillation(teacher) };
    const optimizer = adam({ lr: 0.05 });
    const { history } = await fit(model, x, { context, epochs: 2, optimizer, ...student });
    const { logProb } = await evaluate(model, x, { context });
    const [scores, drawn] = scope(() => [
      Array.from(model.logProb(x, context).dataSync()),
      Array.from(model.sample(rows, { seed: 2, context }).dataSync()),
    ]);
    return { loss: history[1]!.trainLoss, logProb, scores, drawn };
  };

  it('sees it mapped, in training, scores and samples, and from its file', async () => {
    const [plain, with_] = [make({}), make({ contextPreprocessing: its })];
    const close = (a: number[], b: number[]) =>
      a.forEach((value, k) => void expect(value).toBeCloseTo(b[k] as number, 9));
    const [wanted, got] = [await learn(plain, mapped), await learn(with_, raw)];
    close([got.loss, got.logProb], [wanted.loss, wanted.logProb]);
    close(got.scores, wanted.scores);
    close(got.drawn, wanted.drawn);
    const path = join(folder, 'model.safetensors');
    await with_.save(path);
    const again = await loadModel(path);
    close(
      scope(() => Array.from(again.logProb(x, raw).dataSync())),
      got.scores,
    );
    expect(again.config()).toEqual(with_.config());
    for (const model of [plain, with_, again]) model.dispose();
  });

  it('refuses a map of other columns, or one that learns', () => {
    const wide = Affine.uniform(4, 2, 0, dtype);
    expect(() => make({ contextPreprocessing: wide })).toThrow(
      /contextPreprocessing: expected [123] (columns of the context|numbers of a frame).*, got 4/,
    );
    const learned = new ActNorm({ channels: its.features, dtype });
    expect(() => make({ contextPreprocessing: learned as unknown as Affine })).toThrow(
      /contextPreprocessing: expected bijections without parameters, got 2/,
    );
  });
});
