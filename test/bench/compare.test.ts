/** npm run compare: a table and a chart of some flows on a file, and a second run that has nothing left to do. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import * as flow from '../../lib';
import { workFolder } from '../cli/harness';
import { PACKAGE_ROOT } from '../command';

const folder = workFolder();
afterAll(folder.remove);

interface Result {
  nats: number;
  error: number;
  parameters: number;
  sample: { ms: number };
}

/** Rows (x, x + 0.5·e, e² + 0.3·e′): two columns that correlate, and one that no Gaussian fits. */
function csv(rows: number) {
  const stream = new flow.RandomStream(1);
  const e = stream.normal([rows, 3], 'float64').dataSync();
  const lines = Array.from({ length: rows }, (_, k) => {
    const [x, y, z] = [e[3 * k] as number, e[3 * k + 1] as number, e[3 * k + 2] as number];
    return `${x},${x + 0.5 * y},${y * y + 0.3 * z}`;
  });
  writeFileSync(folder.at('three.csv'), `a,b,c\n${lines.join('\n')}\n`);
}

it('trains flows on a file, the Gaussian to what theory says, and writes the table once', () => {
  csv(3000);
  const out = folder.at('compare');
  const run = () => {
    const script = join(PACKAGE_ROOT, 'bench/compare/run.mjs');
    const words = ['--data', folder.at('three.csv'), '--seconds', '0.4', '--hidden', '32'];
    const which = ['--only', 'Gaussian,MAF × 5,block', '--columns', 'a,b,c', '--out', out];
    const { stdout, stderr, status } = spawnSync(process.execPath, [script, ...words, ...which], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    const { done } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    return { stdout, stderr, done: done as Record<string, Result> };
  };
  const { stdout, stderr, done } = run();
  expect(Object.keys(done)).toHaveLength(4);
  // Standardised columns of correlation ρ = 1/√1.25: −(3/2)·log 2πe − log(1 − ρ²)/2; the third column correlates with none.
  const gaussian = done['Gaussian, full covariance'] as Result;
  const theory = -1.5 * Math.log(2 * Math.PI * Math.E) - 0.5 * Math.log(1 - 1 / 1.25);
  expect(Math.abs(gaussian.nats - theory)).toBeLessThan(4 * gaussian.error);
  expect(gaussian.parameters).toBe(9 + 3 + 3);
  expect((done['MAF × 5'] as Result).nats).toBeGreaterThan(gaussian.nats + 0.1);
  for (const { sample } of Object.values(done)) expect(sample.ms).toBeGreaterThan(0);
  const table = readFileSync(join(out, 'table.md'), 'utf8');
  expect(stdout).toContain(table);
  expect(table.match(/^\| .* ± \d/gm)).toHaveLength(4);
  expect(readFileSync(join(out, 'chart.svg'), 'utf8').match(/<circle/g)).toHaveLength(4);
  expect(stderr.match(/nats$/gm)).toHaveLength(4);
  const before = statSync(join(out, 'results.json')).mtimeMs;
  expect(run().stderr).toBe('');
  expect(statSync(join(out, 'results.json')).mtimeMs).toBe(before);
});

it('finds the principal directions of rows', async () => {
  const { principalDirections } = await import(join(PACKAGE_ROOT, 'bench/compare/data.mjs'));
  // Columns mixed by a random rotation of variances 9, 4, 1, 1/4, …: its columns are the directions.
  const [cols, rows] = [30, 20000];
  const rotation = flow.orthogonal(new flow.RandomStream(1), cols).dataSync();
  const noise = new flow.RandomStream(2).normal([rows, cols], 'float64').dataSync();
  const mixed = Float32Array.from({ length: rows * cols }, (_, k) => {
    const row = Math.floor(k / cols);
    let sum = 5;
    for (let j = 0; j < cols; j++) {
      const deviation = 3 * 0.5 ** (j / 2);
      sum += deviation * noise[row * cols + j]! * (rotation[(k % cols) * cols + j] as number);
    }
    return sum;
  });
  const found: Float64Array = principalDirections(flow, mixed, cols, 4);
  for (let j = 0; j < 4; j++) {
    let along = 0;
    for (let k = 0; k < cols; k++) along += found[k * 4 + j]! * (rotation[k * cols + j] as number);
    // Sampling turns neighbours into each other by about √(λ₁λ₂)/(λ₁ − λ₂)/√rows, 0.01.
    expect(Math.abs(along)).toBeGreaterThan(0.998);
  }
});
