/** Residual flows in mid-training: vectors of norms that are not yet at their end, and log-dets of drawn series, are state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Flow, residualFlow, residualFlowImage } from '../../lib/flows';
import { namedTensors } from '../../lib/flows/modelFile';
import { adam, type FitOptions, fit } from '../../lib/train';
import { fixture } from '../reference/close';

const folder = mkdtempSync(join(tmpdir(), 'flow-residual-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'run.safetensors');

const draw = fixture(5);
const table = Array.from({ length: 90 }, () => [...draw(3)]);
const pixels = Uint8Array.from(draw(60 * 16), (v) => Math.min(255, Math.max(0, 128 + 50 * v)));

const drawn = { kind: 'roulette', exactTerms: 1 } as const;
const image = { height: 4, width: 4, channels: 1 };
const cases = [
  ['a table', table, () => residualFlow({ features: 3, transforms: 2, hidden: [6], seed: 3 })],
  [
    'images, log-dets by drawn series',
    pixels,
    () =>
      residualFlowImage({ image, transforms: 1, hidden: 3, scales: 2, training: drawn, seed: 3 }),
  ],
] as const;

it.each(cases)(
  'a resumed training of %s is the uninterrupted one, bit for bit',
  async (_, rows, make) => {
    const validation = rows.slice(0, rows === table ? 20 : 20 * 16) as typeof rows;
    const options: FitOptions = {
      validation,
      epochs: 3,
      batchSize: 20,
      seed: 4,
      optimizer: adam({ lr: 0.05 }),
    };
    const run = async (more: FitOptions) => {
      const flow: Flow = make();
      const { history } = await fit(flow, rows, { ...options, ...more });
      const state = Object.fromEntries(
        [...namedTensors(flow)].map(([name, t]) => [name, [...t.dataSync()]]),
      );
      flow.dispose();
      return { state, scores: history.map(({ validationLogProb }) => validationLogProb) };
    };
    const whole = await run({});
    expect(Object.keys(whole.state).some((name) => name.endsWith('.u'))).toBe(true);
    // In mid-epoch, at the end of an epoch, and after one step.
    for (const steps of [1, 2, Math.ceil((rows === table ? 90 : 60) / 20), 7]) {
      await run({ steps, checkpoint: { path } });
      expect(await run({ resume: path }), `after ${steps} steps`).toEqual(whole);
    }
  },
);
