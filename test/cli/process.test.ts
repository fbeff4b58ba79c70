import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../lib/io/safetensors';
import { PACKAGE_ROOT } from '../command';
import { workFolder, writeBanana } from './harness';

/** Built by `npm run build`, which `npm test` calls. */
const main = join(PACKAGE_ROOT, 'dist', 'cli', 'main.js');
const folder = workFolder();
const data = folder.at('banana.csv');
beforeAll(() => writeBanana(data, 3000));
afterAll(folder.remove);

function start(...words: string[]): {
  child: ChildProcess;
  ended: Promise<[number | null, string]>;
} {
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (piece) => {
    stderr += piece;
  });
  const ended = new Promise<[number | null, string]>((resolve) =>
    child.on('close', (status) => resolve([status, stderr])),
  );
  return { child, ended };
}

async function waitFor(path: string, more: () => boolean = () => true): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (existsSync(path) && more()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${path} did not come`);
}

async function weights(run: string): Promise<Map<string, Buffer>> {
  const { tensors } = await readSafetensors(join(run, 'model.safetensors'));
  return new Map(
    [...tensors].map(([name, { data: values }]) => [
      name,
      Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    ]),
  );
}

const training = ['--columns', 'x,y', '--hidden', '96,96', '--batch-norm', '--batch-size', '50'];
const run = (out: string, ...more: string[]) => [
  ...['train', data, ...training, '--epochs', '12', '--ema', '0.99', '--seed', '5'],
  ...['--out', out, ...more],
];
// A checkpoint is flushed to the disk, which on a busy machine takes longer than the steps between two of them: so only the
// training that is stopped writes them that often, and it is stopped at the first.
const often = ['--checkpoint-every', '0.05'];
const seldom = ['--checkpoint-every', '60'];

describe('a training that is stopped', () => {
  const whole = folder.at('whole');
  beforeAll(async () => {
    const [status, stderr] = await start(...run(whole, ...seldom)).ended;
    expect([status, stderr]).toEqual([0, expect.stringMatching(/wrote /)]);
  });

  // On Windows a signal that is sent ends the process at once, whichever it is.
  const signals = [
    ['SIGKILL', null],
    ...(process.platform === 'win32'
      ? []
      : ([
          ['SIGINT', 130],
          ['SIGTERM', 143],
        ] as const)),
  ] as const;
  it.each(signals)('by %s goes on with --resume to the same weights', async (signal, expected) => {
    const out = folder.at(signal);
    const checkpoint = join(out, 'checkpoint.safetensors');
    const { child, ended } = start(...run(out, ...often));
    await waitFor(checkpoint);
    child.kill(signal);
    const [status, stderr] = await ended;
    expect(status).toBe(expected);
    // It was stopped before its end: a machine that is faster than that needs a longer training here.
    expect(existsSync(join(out, 'model.safetensors'))).toBe(false);
    if (expected !== null) {
      expect(stderr).toMatch(
        /stopped after [\d,]+ steps .*go on with: flow-kernels train --resume/,
      );
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    const [resumed, told] = await start('train', '--resume', '--out', out, ...seldom).ended;
    expect([resumed, told]).toEqual([0, expect.stringMatching(/wrote /)]);
    expect(await weights(out)).toEqual(await weights(whole));
    const history = (path: string) =>
      (
        JSON.parse(readFileSync(join(path, 'report.json'), 'utf8')) as {
          history: { trainLoss: number; validationLogProb: number }[];
        }
      ).history.map(({ trainLoss, validationLogProb }) => [trainLoss, validationLogProb]);
    expect(history(out)).toEqual(history(whole));
  });
});

describe('the program', () => {
  it('ends quietly when its reader stops reading', async () => {
    const { child, ended } = start('sample', folder.at('whole'), '-n', '200000', '-q');
    let stdout = '';
    child.stdout?.on('data', (piece) => {
      stdout += piece;
      child.stdout?.destroy();
    });
    expect(await ended).toEqual([0, '']);
    expect(stdout.split('\n')[0]).toBe('x,y');
  });

  it('shows help and version where the native library cannot be loaded', () => {
    // No prebuilt addon fits this machine, and one that was built here is not looked at.
    const broken = { ...process.env, PREBUILDS_ONLY: '1', npm_config_arch: 'none' };
    const call = (...words: string[]) =>
      spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', env: broken });
    const version = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')).version;
    expect(call('--version').stdout).toBe(`${version}\n`);
    for (const words of [[], ['train'], ['score'], ['sample'], ['info'], ['demo']]) {
      const { status, stdout } = call(...words, '--help');
      expect([status, stdout]).toEqual([0, expect.stringMatching(/^Usage: flow-kernels/)]);
    }
    const { status, stderr } = call('info', folder.at('whole'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^flow-kernels: \[native\] addon: expected a compiled addon/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('prints data only on stdout', () => {
    const words = [main, 'sample', folder.at('whole'), '-n', '5', '--seed', '1'];
    const lines = execFileSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    expect(lines.toString().trim().split('\n')).toHaveLength(6);
  });
});
