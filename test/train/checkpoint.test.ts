import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nice } from '../../lib/flows/coupling';
import { Flow } from '../../lib/flows/flow';
import { readSafetensors, writeSafetensors } from '../../lib/io/safetensors';
import { memory } from '../../lib/runtime';
import { adam, evaluate, type FitOptions, fit, plateau, sgd } from '../../lib/train';
import { PACKAGE_ROOT } from '../command';
import { curvedRows, digest, integerMaf, integerRows, smallMaf } from './support';

const folder = mkdtempSync(join(tmpdir(), 'flow-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'run.safetensors');

const train = integerRows(230, 1);
const validation = integerRows(60, 2);
const build = () => integerMaf({ batchNorm: true });
const options: FitOptions = {
  validation,
  batchSize: 50,
  epochs: 4,
  optimizer: adam({ lr: 0.02, weightDecay: 1e-3 }),
  schedule: plateau({ patience: 1 }),
  clipNorm: 5,
  ema: 0.9,
  seed: 9,
};

/** What must not depend on interruptions: everything but times. */
const timeless = (result: Awaited<ReturnType<typeof fit>>) =>
  result.history.map(({ seconds: _s, samplesPerSecond: _r, ...record }) => record);

describe('checkpoints', () => {
  it.each([
    [true, true],
    [false, true],
    [true, false],
  ])(
    'stopped at any step and resumed: the same bits (compiled %s, then %s)',
    async (first, second) => {
      const whole = build();
      const expected = await fit(whole, train, options);
      expect(expected.steps).toBe(20);
      // In mid-epoch, at the end of an epoch, before the partial batch, after one step.
      for (const stop of [1, 4, 5, 7, 12, 19]) {
        const abort = new AbortController();
        const broken = build();
        const half = await fit(broken, train, {
          ...options,
          compile: first,
          checkpoint: { path, everySeconds: 1000 },
          signal: abort.signal,
          onStep: ({ step }) => {
            if (step === stop) abort.abort();
          },
        });
        expect(half).toMatchObject({ stoppedBecause: 'aborted', steps: stop });
        broken.dispose();
        const resumed = build();
        const result = await fit(resumed, train, { ...options, compile: second, resume: path });
        expect(digest(resumed), `stopped at ${stop}`).toBe(digest(whole));
        expect(timeless(result)).toEqual(timeless(expected));
        expect(result.seconds).toBeGreaterThan(half.seconds);
        resumed.dispose();
      }
      whole.dispose();
    },
  );

  it('stopped at the end of an epoch that is not validated, and resumed: the same history', async () => {
    const seldom: FitOptions = { ...options, validateEvery: 3 };
    const whole = build();
    const expected = await fit(whole, train, seldom);
    const abort = new AbortController();
    const broken = build();
    await fit(broken, train, {
      ...seldom,
      checkpoint: { path },
      signal: abort.signal,
      onStep: ({ step }) => {
        if (step === 5) abort.abort();
      },
    });
    const resumed = build();
    const result = await fit(resumed, train, { ...seldom, resume: path });
    expect(timeless(result)).toEqual(timeless(expected));
    expect(digest(resumed)).toBe(digest(whole));
    for (const flow of [whole, broken, resumed]) flow.dispose();
  });

  it('stopped in the evaluation after an epoch, and resumed: the same bits', async () => {
    // So many rows that the evaluation gives the event loop a turn: it takes some hundred milliseconds, the turn is due after 30.
    const many = integerRows(120_000, 3);
    const long: FitOptions = { ...options, batchSize: 30_000, validation: many, epochs: 2 };
    const wide = () => integerMaf({ batchNorm: true, hidden: [128, 128] });
    const whole = wide();
    const expected = await fit(whole, many, long);
    const abort = new AbortController();
    const broken = wide();
    const half = await fit(broken, many, {
      ...long,
      checkpoint: { path, everySeconds: 1000 },
      signal: abort.signal,
      // After the last step of the first epoch, when the loop has asked for the signal for the last time.
      onStep: ({ step }) => {
        if (step === 4) setTimeout(() => abort.abort(), 1);
      },
    });
    expect(half).toMatchObject({ stoppedBecause: 'aborted', steps: 4, epochs: 0 });
    const resumed = wide();
    const result = await fit(resumed, many, { ...long, resume: path });
    expect(digest(resumed)).toBe(digest(whole));
    expect(timeless(result)).toEqual(timeless(expected));
    for (const flow of [whole, broken, resumed]) flow.dispose();
  });

  it('written at every step, training goes on as if it had not been', async () => {
    const plain = build();
    await fit(plain, train, options);
    const written = build();
    await fit(written, train, { ...options, checkpoint: { path, everySeconds: 1e-9 } });
    expect(digest(written)).toBe(digest(plain));
    plain.dispose();
    written.dispose();
  });

  it('a finished training resumes to its end, and can be given more epochs', async () => {
    const one = build();
    await fit(one, train, { ...options, epochs: 2, checkpoint: { path } });
    const again = build();
    const done = await fit(again, train, { ...options, epochs: 2, resume: path });
    expect(done).toMatchObject({ stoppedBecause: 'epochs', epochs: 2, steps: 10 });
    expect(digest(again)).toBe(digest(one));
    const longer = build();
    const more = await fit(longer, train, { ...options, resume: path });
    const whole = build();
    const expected = await fit(whole, train, options);
    expect(timeless(more)).toEqual(timeless(expected));
    expect(digest(longer)).toBe(digest(whole));
    for (const flow of [one, again, longer, whole]) flow.dispose();
  });

  it('without validation too: sgd, no average', async () => {
    const rows = curvedRows(100, 3);
    const plain: FitOptions = { epochs: 3, batchSize: 30, optimizer: sgd({ momentum: 0.9 }) };
    const whole = smallMaf();
    await fit(whole, rows, plain);
    const broken = smallMaf();
    await fit(broken, rows, { ...plain, steps: 6, checkpoint: { path } });
    const resumed = smallMaf();
    await fit(resumed, rows, { ...plain, resume: path });
    expect(digest(resumed)).toBe(digest(whole));
    for (const flow of [whole, broken, resumed]) flow.dispose();
  });

  it('a flow whose scales are learned resumes', async () => {
    const niceOf = () => nice({ features: integerMaf().features, hidden: [8], seed: 4 });
    const whole = niceOf();
    const plain = { epochs: 3, batchSize: 50, seed: 2 };
    await fit(whole, train, plain);
    await fit(niceOf(), train, { ...plain, steps: 6, checkpoint: { path } });
    const resumed = niceOf();
    await fit(resumed, train, { ...plain, resume: path });
    expect(digest(resumed)).toBe(digest(whole));
  });

  it('is a model file too: the best weights', async () => {
    const flow = build();
    const { best, epochs } = await fit(flow, train, {
      ...options,
      epochs: 30,
      patience: 3,
      checkpoint: { path },
    });
    expect(best?.epoch).toBeLessThan(epochs);
    const loaded = await Flow.load(path);
    expect(digest(loaded)).toBe(digest(flow));
    const { logProb } = await evaluate(loaded, validation, { seed: 9 });
    expect(logProb).toBe(best?.validationLogProb);
    loaded.dispose();
    flow.dispose();
  });

  it.each([
    ['another seed', 'ARGUMENT', /seed: expected 9, as in .*, got 8/, { seed: 8 }],
    ['another batch size', 'ARGUMENT', /batchSize: expected 50, .*, got 40/, { batchSize: 40 }],
    [
      'another optimizer',
      'ARGUMENT',
      /optimizer: expected .*adam.*, got .*sgd/,
      { optimizer: sgd() },
    ],
    ['another validation set', 'ARGUMENT', /validationRows: expected 60/, { validation: null }],
  ])('%s is an error', async (_name, code, pattern, change) => {
    const flow = build();
    await fit(flow, train, { ...options, epochs: 1, checkpoint: { path } });
    const before = digest(flow);
    const buffers = memory().buffers;
    const error = await fit(flow, train, { ...options, ...change, resume: path }).catch((e) => e);
    expect(error).toMatchObject({ code, message: expect.stringMatching(pattern) });
    expect(digest(flow)).toBe(before);
    expect(memory().buffers).toBe(buffers);
    flow.dispose();
  });

  it('another model, a model file without training, a missing and a damaged file are errors', async () => {
    const flow = build();
    await fit(flow, train, { ...options, epochs: 1, checkpoint: { path } });
    const other = integerMaf({ hidden: [8, 8], batchNorm: true });
    const resume = (model: Flow, file: string) =>
      fit(model, train, { ...options, resume: file }).catch((error) => error);
    expect(await resume(other, path)).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/a checkpoint of this model, got one of another model/),
    });
    const plain = join(folder, 'model.safetensors');
    await flow.save(plain);
    expect(await resume(flow, plain)).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/a file without one/),
    });
    expect(await resume(flow, join(folder, 'none'))).toMatchObject({ code: 'FILE' });
    const { tensors, metadata } = await readSafetensors(path);
    const { __digest: _digest, ...kept } = metadata;
    const damaged = join(folder, 'damaged.safetensors');
    const without = new Map(tensors);
    without.delete('training/random/noise');
    const untouched = digest(flow);
    await writeSafetensors(damaged, without, {
      config: kept.config ?? '',
      training: kept.training ?? '',
    });
    expect(await resume(flow, damaged)).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/noise: expected a tensor, got none/),
    });
    await writeSafetensors(damaged, tensors, { config: '{', training: kept.training ?? '' });
    expect(await resume(flow, damaged)).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/got one of another model/),
    });
    const broken = { ...kept, training: '{"version":1,"progress":{"epoch":-1}}' };
    await writeSafetensors(damaged, tensors, {
      config: kept.config ?? '',
      training: broken.training,
    });
    expect(await resume(flow, damaged)).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/another or a damaged one/),
    });
    expect(digest(flow)).toBe(untouched);
    // The order of the words says nothing.
    const turned = Object.entries(JSON.parse(kept.config ?? '{}')).reverse();
    await writeSafetensors(damaged, tensors, {
      config: JSON.stringify(Object.fromEntries(turned)),
      training: kept.training ?? '',
    });
    expect(await resume(flow, damaged)).not.toBeInstanceOf(Error);
    flow.dispose();
    other.dispose();
  });

  it('a path that cannot be written is an error that names it', async () => {
    const flow = build();
    const checkpoint = { path: join(folder, 'no', 'such', 'folder', 'x') };
    const error = await fit(flow, train, { ...options, epochs: 1, checkpoint }).catch((e) => e);
    expect(error).toMatchObject({ code: 'FILE', message: expect.stringContaining('such') });
    flow.dispose();
  });
});

/** Trains in a process of its own: argv: library, checkpoint, mode (whole, slow, resume), result. */
const child = `
const [library, checkpoint, mode, result] = process.argv.slice(2);
const { fit, maf, adam } = require(library);
const rows = new Float32Array(3 * 1000);
for (let k = 0; k < rows.length; k++) rows[k] = Math.sin(k * 12.9898) * 3 + Math.cos(k * 0.37);
const flow = maf({ features: 3, transforms: 2, hidden: [32, 32], batchNorm: true, seed: 1 });
fit(flow, rows, {
  validation: rows.subarray(0, 300), batchSize: 64, epochs: 6, ema: 0.9, optimizer: adam({ lr: 1e-2 }),
  checkpoint: { path: checkpoint, everySeconds: 0.02 },
  ...(mode.endsWith('resume') ? { resume: checkpoint } : {}),
  // Slow enough to be killed on the way.
  ...(mode.startsWith('slow') ? { onStep: () => new Promise((done) => setTimeout(done, 10)) } : {}),
}).then(() => flow.save(result));
`;

describe('killed with SIGKILL', () => {
  it('in mid-epoch, and resumed: the weights of an uninterrupted run, bit for bit', async () => {
    const library = join(PACKAGE_ROOT, 'dist', 'index.js');
    if (!existsSync(library)) throw new Error(`${library} is missing: npm run build`);
    const script = join(folder, 'child.cjs');
    writeFileSync(script, child);
    const checkpoint = join(folder, 'killed.safetensors');
    const start = (mode: string, result: string) => {
      const args = [script, library, checkpoint, mode, join(folder, result)];
      const run = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
      const end = new Promise<[number | null, string | null]>((resolve) => {
        run.on('exit', (code, signal) => resolve([code, signal]));
      });
      return { run, end };
    };
    expect(await start('whole', 'whole.safetensors').end).toEqual([0, null]);
    rmSync(checkpoint);

    // Killed three times, each time after a new checkpoint was written.
    let seen = 0;
    const steps: number[] = [];
    for (let kill = 0; kill < 3; kill++) {
      const { run, end } = start(kill === 0 ? 'slow' : 'slow-resume', 'none');
      await new Promise<void>((resolve) => {
        const poll = setInterval(() => {
          const now = existsSync(checkpoint) ? statSync(checkpoint).mtimeMs : 0;
          if (now <= seen && run.exitCode === null) return;
          seen = now;
          clearInterval(poll);
          resolve();
        }, 2);
      });
      run.kill('SIGKILL');
      expect(await end).toEqual([null, 'SIGKILL']);
      const { metadata } = await readSafetensors(checkpoint);
      steps.push(JSON.parse(metadata.training ?? '{}').progress.step);
    }
    expect(steps[0]).toBeGreaterThan(0);
    expect(steps[2]).toBeGreaterThan(steps[0] as number);
    expect(steps[2]).toBeLessThan(96);
    expect(await start('resume', 'resumed.safetensors').end).toEqual([0, null]);
    const [whole, resumed] = await Promise.all(
      ['whole', 'resumed'].map((name) => Flow.load(join(folder, `${name}.safetensors`))),
    );
    expect(digest(resumed as Flow)).toBe(digest(whole as Flow));
    whole?.dispose();
    resumed?.dispose();
  });
});
