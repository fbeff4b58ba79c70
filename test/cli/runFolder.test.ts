/** A run folder: what a training leaves, and score, sample and info of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy } from '../../lib/data/readers/npy';
import { Flow } from '../../lib/flows';
import { bananaEntropy, flowKernels, workFolder, writeBanana } from './harness';

const folder = workFolder();
const data = folder.at('banana.csv');
const run = folder.at('run');
const training = ['--columns', 'x,y', '--hidden', '48,48', '--epochs', '60', '--lr', '3e-3'];
beforeAll(async () => {
  writeBanana(data, 4000);
  writeBanana(folder.at('test.csv'), 4000, 99);
  const words = [...training, '--test', folder.at('test.csv'), '--out', run, '--json'];
  const { status, stdout, stderr } = await flowKernels('train', data, ...words);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/wrote .*run\n$/)]);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(`${run}/report.json`, 'utf8')));
});
afterAll(folder.remove);

const report = () => JSON.parse(readFileSync(`${run}/report.json`, 'utf8'));

describe('train', () => {
  it('finds a density close to the true one', () => {
    const { test } = report();
    // The mean of −log p has the entropy as its least value; 0.05 nats of model error are allowed, and the noise of
    // the mean four times over.
    const loss = -test.nats.data;
    expect(loss).toBeGreaterThan(bananaEntropy - 4 * test.standardError);
    expect(loss).toBeLessThan(bananaEntropy + 0.05 + 4 * test.standardError);
    expect(test.rows).toBe(4000);
    expect(test.bitsPerDim).toBeCloseTo(loss / (2 * Math.LN2), 10);
  });

  it('reports spaces that differ by the log of the standardisation', () => {
    const { test, data: used } = report();
    expect(used.rows).toEqual({ train: 3600, validation: 400, test: 4000 });
    // x has deviation 2, y = z² + noise has √(2 + 0.25): of 3600 rows, so to a few percent.
    const logFactors = Math.log(2) + 0.5 * Math.log(2.25);
    expect(test.nats.model - test.nats.data).toBeGreaterThan(logFactors - 0.15);
    expect(test.nats.model - test.nats.data).toBeLessThan(logFactors + 0.15);
  });

  it('leaves model, report, curves and checkpoint', () => {
    for (const name of ['model.safetensors', 'checkpoint.safetensors', 'run.json']) {
      expect(existsSync(`${run}/${name}`)).toBe(true);
    }
    expect(readFileSync(`${run}/curves.svg`, 'utf8')).toMatch(/^<svg|^<\?xml/);
    expect(existsSync(`${run}/samples.png`)).toBe(false);
    const { training: facts, environment, history, command } = report();
    expect(facts.epochs).toBe(history.length);
    expect(facts.steps).toBe(Math.ceil(3600 / 256) * facts.epochs);
    expect(environment.node).toBe(process.versions.node);
    expect(command).toMatch(/^flow-kernels train .*banana\.csv --columns x,y/);
  });

  it('gives the same weights for the same seed, and others for another', async () => {
    const weights = async (name: string, seed: string) => {
      const out = folder.at(name);
      const words = ['--columns', 'x,y', '--hidden', '16', '--epochs', '2', '--seed', seed];
      expect(await flowKernels('train', data, ...words, '--out', out, '-q')).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
      const flow = await Flow.load(`${out}/model.safetensors`);
      const all = flow.parameters().map((parameter) => [...parameter.dataSync()]);
      flow.dispose();
      return JSON.stringify(all);
    };
    const first = await weights('seed-1a', '1');
    expect(await weights('seed-1b', '1')).toBe(first);
    expect(await weights('seed-2', '2')).not.toBe(first);
  });
});

describe('score', () => {
  it('gives the log p of the library, to stdout, CSV and NPY alike', async () => {
    const { stdout, stderr } = await flowKernels('score', run, folder.at('test.csv'));
    const printed = stdout.trim().split('\n');
    expect(printed[0]).toBe('log_prob');
    expect(stderr).toMatch(/^4,000 rows, mean log_prob -/);
    const scores = Float64Array.from(printed.slice(1), Number);
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    expect(mean).toBeCloseTo(report().test.nats.data, 9);

    const text = readFileSync(folder.at('test.csv'), 'utf8').trim().split('\n').slice(1, 6);
    const rows = text.map((line) => line.split(',').slice(0, 2).map(Number));
    const flow = await Flow.load(`${run}/model.safetensors`);
    const own = flow.logProb(rows);
    // Printed with all digits: rows scored in another batch may differ in the last bits of float32 sums.
    for (const [k, value] of own.dataSync().entries()) expect(scores[k]).toBeCloseTo(value, 4);
    own.dispose();
    flow.dispose();

    for (const name of ['scores.csv', 'scores.npy']) {
      const out = folder.at(name);
      expect((await flowKernels('score', run, folder.at('test.csv'), '--out', out)).stdout).toBe(
        '',
      );
    }
    expect(readFileSync(folder.at('scores.csv'), 'utf8')).toBe(stdout);
    expect([...(await readNpy(folder.at('scores.npy'))).data]).toEqual([...scores]);
  });

  it('ranks what does not belong last', async () => {
    writeFileSync(folder.at('odd.csv'), 'x,y\n3,-10\n5,-9\n3,10\n40,-10\n');
    const { stdout } = await flowKernels('score', run, folder.at('odd.csv'), '-q');
    const [near, far, off, out] = stdout.trim().split('\n').slice(1).map(Number);
    expect(Math.min(near!, far!)).toBeGreaterThan(Math.max(off!, out!) + 5);
  });

  it('scores in either space and in bits', async () => {
    const mean = async (...words: string[]) => {
      const { stdout } = await flowKernels('score', run, folder.at('test.csv'), '-q', ...words);
      const values = stdout.trim().split('\n').slice(1).map(Number);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const { nats, bitsPerDim } = report().test;
    expect(await mean('--space', 'model')).toBeCloseTo(nats.model, 9);
    expect(await mean('--bits-per-dim')).toBeCloseTo(bitsPerDim, 9);
  });
});

describe('sample', () => {
  it('repeats with its seed, and has the moments of the data', async () => {
    const draw = (seed: string, ...words: string[]) =>
      flowKernels('sample', run, '-n', '3000', '--seed', seed, ...words);
    const first = await draw('1');
    expect(first.stderr).toBe('3,000 rows\n');
    expect((await draw('1')).stdout).toBe(first.stdout);
    expect((await draw('2')).stdout).not.toBe(first.stdout);
    const lines = first.stdout.trim().split('\n');
    expect(lines[0]).toBe('x,y');
    const x = lines.slice(1).map((line) => Number(line.split(',')[0]));
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const deviation = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
    // Standard errors 2/√3000 = 0.04 and 0.03; the model's own error comes on top.
    expect(Math.abs(mean - 3)).toBeLessThan(0.25);
    expect(Math.abs(deviation - 2)).toBeLessThan(0.25);
    const cold = (await draw('1', '--temperature', '0')).stdout.trim().split('\n').slice(1);
    expect(new Set(cold).size).toBe(1);
  });
});

describe('info', () => {
  it('shows architecture, columns, preprocessing and training', async () => {
    const { stdout, status } = await flowKernels('info', run);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^features +2$/m);
    expect(stdout).toMatch(/^columns +x, y$/m);
    expect(stdout).toMatch(/^chain +masked autoregressive, hidden \[48, 48\], relu\n +reverse$/m);
    const facts = JSON.parse((await flowKernels('info', run, '--json')).stdout);
    expect(facts.parameters).toBe(report().model.parameters);
    expect(facts.training.test).toEqual(report().test);
    expect(facts.preprocessing.kind).toBe('affine');
  });
});
