import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, run } from '../command';

// Copies 37 numbers by the first op of the table and prints what the addon has and does, in a process of
// its own: the two addons are the same library to the loader's eyes only if they are compared like this.
const probe = `
  const addon = require(process.argv[1]);
  const words = new Float64Array(64);
  addon.bind(words);
  const [x, y] = [addon.alloc(0, 37), addon.alloc(0, 37)];
  addon.write(x, 0, Float32Array.from({ length: 37 }, (_, i) => Math.sin(i) * 3));
  words.set([addon.ops.indexOf('copy'), 1, 1, 0, x, 0, 0, 1, 37, 37, y, 0, 0, 1, 37, 37]);
  const status = addon.run(16);
  const result = new Float32Array(37);
  addon.read(y, 0, result);
  console.log(JSON.stringify({
    exports: Object.keys(addon).sort(), ops: addon.ops, isa: addon.isa, status, result: [...result],
  }));
`;

function probed(addon: string): { isa: string } {
  return JSON.parse(run(process.execPath, ['-e', probe, addon]));
}

describe('the addon built by cmake-js', () => {
  const folder = 'build-cmake-check';
  const byCMake = join(PACKAGE_ROOT, folder, 'build', 'Release', 'flow_kernels.node');
  const byGyp = join(PACKAGE_ROOT, 'build', 'Release', 'flow_kernels.node');
  beforeAll(() => {
    // What is asked is whether it builds and is the same addon, not how fast it is: -O0 and the instruction set that will be
    // chosen, of which all are built alike, take a fifth of the time.
    run(process.execPath, [
      'scripts/build-cmake.mjs',
      ...[`--out=${folder}`, '--CDFLOW_OPTIMIZATION=-O0', `--sets=${probed(byGyp).isa}`],
    ]);
  });

  it('has the exports, the ops and the results of the one built by node-gyp', () => {
    expect(existsSync(byCMake)).toBe(true);
    const result = probed(byCMake);
    expect(result).toEqual(probed(byGyp));
    expect(result).toMatchObject({ status: 0, result: { 1: Math.fround(Math.sin(1) * 3) } });
  });
});
