/** Model files of earlier versions. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Flow, realnvp } from '../../lib/flows';
import { readSafetensors } from '../../lib/io';
import { adam, fit } from '../../lib/train';
import { workFolder } from '../cli/harness';
import { own } from '../disposables';
import { expectClose } from '../reference/close';

const folder = workFolder();
afterAll(folder.remove);

/** A checkpoint of this flow after two epochs, written by the version before 2. */
const first = join(__dirname, 'fixtures', 'version1.safetensors');
const options = { features: 3, hidden: [2], transforms: 2, seed: 1, dtype: 'float64' } as const;
const rows = Float64Array.from({ length: 60 }, (_, k) => Math.sin(k * k));

describe('a file of version 1, which called transforms what a split calls transformed', () => {
  it('has the log p and the samples that it had', async () => {
    const { metadata } = await readSafetensors(first);
    expect(metadata).toMatchObject({ version: '1' });
    expect(metadata['config']).toMatch(/"columns","transforms":"second".*"transforms":"first"/);
    const flow = own(await Flow.load(first));
    const points = [0.5, -1, 2, 0, 0.3, -0.7];
    const logProb = own(flow.logProb(Float64Array.from(points))).toArray();
    expectClose(logProb, [-5.476668429671051, -2.9648354405355897], 64, 'log p');
    const drawn = own(flow.sample(1, { seed: 3 })).toArray();
    expectClose(drawn, [0.20575851789182165, -2.0050742077482004, -0.7499250392661956], 64, 'x');
  });

  it('is saved in the words of version 2', async () => {
    const flow = own(await Flow.load(first));
    const path = folder.at('again.safetensors');
    await flow.save(path);
    const { metadata } = await readSafetensors(path);
    expect(metadata).toMatchObject({ version: '2' });
    expect(JSON.parse(metadata['config'] as string)).toEqual(own(realnvp(options)).config());
    expect(own(await Flow.load(path)).config()).toEqual(flow.config());
  });

  it('goes on as a training', async () => {
    const training = { batchSize: 10, seed: 1, optimizer: adam({ lr: 1e-2 }) };
    const flow = own(realnvp(options));
    const { history } = await fit(flow, rows, { ...training, epochs: 3, resume: first });
    const losses = history.map(({ trainLoss }) => trainLoss);
    const whole = await fit(own(realnvp(options)), rows, { ...training, epochs: 3 });
    const wanted = whole.history.map(({ trainLoss }) => trainLoss);
    expectClose(losses, wanted, 1000, 'losses');
  });
});
