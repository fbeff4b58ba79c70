/** bench/results.mjs: a run goes on where one of the same settings stopped, and overwrites no other numbers. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { workFolder } from '../cli/harness';
import { PACKAGE_ROOT } from '../command';

const folder = workFolder();
afterAll(folder.remove);

it('keeps results of other settings and damaged ones under another name, and says so', async () => {
  const { earlierResults, writeResults } = await import(join(PACKAGE_ROOT, 'bench/results.mjs'));
  const path = folder.at('results.json');
  const said: string[] = [];
  const spy = vi.spyOn(console, 'error').mockImplementation((line) => void said.push(line));
  try {
    expect(earlierResults(path, { steps: 1 })).toBeNull();
    const results = { settings: { steps: 1 }, done: { a: 1 } };
    writeResults(path, results);
    expect(earlierResults(path, { steps: 1 })).toEqual(results);
    expect(said).toEqual([]);
    expect(earlierResults(path, { steps: 2 })).toBeNull();
    expect(said.join()).toMatch(/other settings; kept as .*results\.1\.json/);
    expect(JSON.parse(readFileSync(folder.at('results.1.json'), 'utf8'))).toEqual(results);
    writeFileSync(path, '{"settings": {"st');
    expect(earlierResults(path, { steps: 2 })).toBeNull();
    expect(said[1]).toMatch(/cannot be read .*; kept as .*results\.2\.json/);
    expect(readdirSync(folder.at('.')).sort()).toEqual(['results.1.json', 'results.2.json']);
  } finally {
    spy.mockRestore();
  }
});
