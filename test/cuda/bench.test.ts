/** bench/cuda over the emulation: every part of it runs; what it counts is what the tests of launches and traffic hold. Needs dist/. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../command';
import { emulatedPlugin, isEmulated } from './emulated';

let plugin = '';
beforeAll(() => {
  plugin = emulatedPlugin();
}, 900_000);

type Line = Record<string, number | string>;

function bench(env: NodeJS.ProcessEnv, ...args: string[]): { lines: Line[]; said: string } {
  const script = join(PACKAGE_ROOT, 'bench', 'cuda', 'run.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--json', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(status, stderr).toBe(0);
  const lines = stdout.trim().split('\n');
  return { lines: lines.map((line) => JSON.parse(line) as Line), said: stderr };
}

const isBuilt = existsSync(join(PACKAGE_ROOT, 'dist', 'index.js'));

describe.runIf(isEmulated && isBuilt)('npm run bench:cuda', () => {
  it('without a GPU says so in one line, and reports what can be counted', () => {
    const { lines, said } = bench({ FLOW_KERNELS_CUDA: join(PACKAGE_ROOT, 'nowhere.so') });
    expect(said.trim().split('\n')[0]).toMatch(
      /^no GPU, so nothing is timed: .*build it with "npm run build:cuda"$/,
    );
    expect(lines.find(({ op }) => op === 'adam')).toMatchObject({ spills: '0', stack: '0' });
    expect(lines.find(({ step }) => step === 'MAF of 5')).toMatchObject({ graphs: 1 });
    for (const { step, launches } of lines)
      if (step === 'MAF of 5') expect(launches).toBeLessThanOrEqual(60);
    const counted = lines.filter(({ bytesOverFloor }) => bytesOverFloor !== undefined);
    expect(counted.length).toBeGreaterThan(40);
    expect(counted.find(({ kernel }) => kernel === 'adam 2^20')?.['bytesOverFloor']).toBeLessThan(
      1.1,
    );
    expect(lines.filter(({ failed }) => failed !== undefined)).toEqual([]);
  }, 120_000);

  it('times ceilings, kernels and steps', () => {
    const few = ['kernel:accumulate 256', 'kernel:lu_compose 12x', 'strips masked_linear 20'];
    const args = ['--emulated', '--no-peers', '--seconds', '0', ...few];
    const { lines } = bench({ FLOW_KERNELS_CUDA: plugin }, ...args);
    const positive = (value: unknown) => typeof value === 'number' && value > 0;
    const ceiling = lines.find((line) => 'ceiling' in line);
    for (const name of ['copyGBs', 'float32TFlops', 'tf32TFlops', 'float64TFlops'])
      expect(ceiling?.[name], name).toSatisfy(positive);
    const kernels = lines.filter((line) => 'kernel' in line);
    const rateOf = (name: string, rate: string) =>
      kernels.find(({ kernel }) => kernel === name)?.[rate];
    expect(kernels).toHaveLength(2 + 3);
    for (const by of ['tilesUs', 'ruleUs', 'strips1Us', 'strips16Us'])
      expect(rateOf('strips masked_linear 20x48x48 tf32', by), by).toSatisfy(positive);
    expect(rateOf('accumulate 256x512', 'gbs')).toSatisfy(positive);
    expect(rateOf('lu_compose 12x12', 'tflops')).toSatisfy(positive);
  }, 120_000);
});
