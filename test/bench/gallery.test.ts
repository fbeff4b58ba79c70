/** npm run gallery: a page, a table, and a second run that has nothing left to do. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, expect, it } from 'vitest';
import { workFolder } from '../cli/harness';
import { PACKAGE_ROOT } from '../command';

const folder = workFolder();
afterAll(folder.remove);

it('fits, draws and tells divergences that fall with the steps', () => {
  const run = (steps: number) => {
    const out = folder.at(`gallery-${steps}`);
    const script = join(PACKAGE_ROOT, 'bench/gallery/run.mjs');
    const words = [script, '--only', 'NSF-AR', '--steps', `${steps}`, '--out', out];
    const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    const { done } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    return { out, stdout, done: done as Record<string, { kl: number }> };
  };
  const first = run(2);
  const { out, done } = run(40);
  expect(Object.keys(done)).toHaveLength(5);
  for (const [key, { kl }] of Object.entries(done)) {
    // An energy's divergence is one of draws of the flow, a data set's of draws of the density: both are above 0.
    expect(kl).toBeGreaterThan(-0.05);
    expect(kl, key).toBeLessThan((first.done[key] as { kl: number }).kl);
  }
  // Density and samples of three densities and of each fit; of an energy its density.
  const page = readFileSync(join(out, 'index.html'), 'utf8');
  expect(page.match(/<img/g)?.length).toBe(2 * 3 + 2 + 2 * 5);
  expect(readFileSync(join(out, 'table.md'), 'utf8').match(/^\| NSF-AR/gm)).toHaveLength(2);
  // Targets and densities, five of each, of 64 pixels and 2 between them.
  const sheet = PNG.sync.read(readFileSync(join(out, 'sheet.png')));
  expect([sheet.width, sheet.height]).toEqual([5 * 66 + 2, 2 * 66 + 2]);
  const before = statSync(join(out, 'results.json')).mtimeMs;
  expect(run(40).stdout).not.toMatch(/ s$/m);
  expect(statSync(join(out, 'results.json')).mtimeMs).toBe(before);
});
