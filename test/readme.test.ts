/**
 * The documentation's examples, run as they stand: blocks marked ```js run (one module a document, in order) and
 * ```sh run. A line `console.log(…); //=> text` must print that text; … in it stands for anything.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { workFolder, writeBanana } from './cli/harness';
import { PACKAGE_ROOT } from './command';

const folder = workFolder();
afterAll(folder.remove);

function blocks(document: string, mark: string): string[] {
  const text = readFileSync(join(PACKAGE_ROOT, document), 'utf8');
  const fence = new RegExp(`^\`\`\`${mark}\\n([\\s\\S]*?)^\`\`\``, 'gm');
  return [...text.matchAll(fence)].map((match) => match[1] as string);
}

/** An empty folder that has the package installed, and a table data.csv. */
function project(name: string): string {
  const root = folder.at(name);
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  symlinkSync(PACKAGE_ROOT, join(root, 'node_modules', 'flow-kernels'), 'junction');
  writeBanana(join(root, 'data.csv'), 1500);
  return root;
}

function matches(line: string | undefined, wanted: string): boolean {
  const pattern = wanted
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return line !== undefined && new RegExp(`^${pattern}$`).test(line);
}

describe.each(['README.md', 'docs/guide.md'])('%s', (document) => {
  it('has examples that run and print what they say', () => {
    const code = blocks(document, 'js run').join('\n');
    const wanted = [...code.matchAll(/\/\/=> (.*)$/gm)].map((match) => match[1] as string);
    // An example that promises nothing would only show that it does not throw.
    expect(wanted.length).toBeGreaterThan(0);
    const root = project(document.replaceAll('/', '-'));
    writeFileSync(join(root, 'example.mjs'), code);
    const options = { cwd: root, encoding: 'utf8', timeout: 120_000 } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['example.mjs'], options);
    expect([status, stderr]).toEqual([0, '']);
    const printed = stdout.trimEnd().split('\n');
    expect(printed).toHaveLength(wanted.length);
    for (const [k, text] of wanted.entries()) {
      expect(matches(printed[k], text), `line ${k}: ${printed[k]} for ${text}`).toBe(true);
    }
  });
});

it.skipIf(process.platform === 'win32')("README.md's commands run", () => {
  const root = project('shell');
  const main = join(PACKAGE_ROOT, 'dist', 'cli', 'main.js');
  mkdirSync(join(root, 'bin'));
  writeFileSync(
    join(root, 'bin', 'flow-kernels'),
    `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`,
    { mode: 0o755 },
  );
  const [commands] = blocks('README.md', 'sh run');
  const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
  const { stdout, stderr, status } = spawnSync('sh', ['-e', '-c', commands as string], {
    cwd: root,
    encoding: 'utf8',
    env,
  });
  expect([status, stderr]).toEqual([0, expect.stringMatching(/wrote runs\/first/)]);
  expect(stdout).toMatch(/^columns +x, y$/m);
  expect(readFileSync(join(root, 'scores.csv'), 'utf8').split('\n')).toHaveLength(1502);
  expect(readFileSync(join(root, 'more.csv'), 'utf8').split('\n')).toHaveLength(1002);
});
