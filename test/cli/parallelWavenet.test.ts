/** Parallel WaveNets from the command line: a teacher, its student, and what does not go together. */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readWav } from '../../lib/data/readers/wav';
import { writeWav } from '../../lib/data/writers/wav';
import { readSafetensors } from '../../lib/io/safetensors';
import { loadModel, ParallelWaveNet } from '../../lib/models';
import { flowKernels, workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

const sound = folder.at('tone.wav');
const table = folder.at('table.csv');
const small = ['--hidden', '4', '--layers', '2', '--batch-size', '4', '-q'];
const teach = async (name: string, data: string, ...words: string[]) => {
  const model = ['--model', 'wavenet', '--stacks', '1', '--window', '40', '--lr', '0.02', ...small];
  const told = await flowKernels('train', data, ...model, ...words, '--out', folder.at(name));
  expect(told).toMatchObject({ status: 0, stderr: '' });
};
const student = (teacher: string, out: string, ...words: string[]) => {
  const model = ['--model', 'parallel-wavenet', '--stacks', '1,1', '--lr', '0.01', ...small];
  const given = ['--teacher', folder.at(teacher), '--out', folder.at(out), ...words];
  return ['train', sound, ...model, ...given];
};
const weights = async (run: string) => {
  const { tensors } = await readSafetensors(folder.at(run, 'model.safetensors'));
  return [...tensors].map(([name, { data }]) => [name, Array.from(data as Float32Array)]);
};

beforeAll(async () => {
  const samples = (rate: number) =>
    Float32Array.from({ length: 1200 }, (_, t) => 0.4 * Math.sin(0.2 * t) + (t % 7) / 70 + rate);
  await writeWav(sound, { samples: samples(0), rate: 8000 });
  await writeWav(folder.at('fast.wav'), { samples: samples(0), rate: 16000 });
  const row = (n: number) => Array.from({ length: 8 }, (_, t) => Math.sin(n + t / 3)).join(',');
  writeFileSync(table, Array.from({ length: 40 }, (_, n) => row(n)).join('\n'));
  const levels = (n: number) => Array.from({ length: 8 }, (_, t) => (n + t) % 5).join(',');
  writeFileSync(
    folder.at('levels.csv'),
    Array.from({ length: 40 }, (_, n) => levels(n)).join('\n'),
  );
  await teach('normal', sound, '--likelihood', 'normal', '--steps', '10');
  await teach('logistic', sound, '--likelihood', 'logistic', '--steps', '5');
  await teach('categorical', sound, '--steps', '1');
  await teach('table', table, '--steps', '5');
  await teach(
    'levels',
    folder.at('levels.csv'),
    '--levels',
    '5',
    '--likelihood',
    'logistic',
    '--steps',
    '1',
  );
  const flow = await flowKernels(
    'train',
    table,
    '--hidden',
    '4',
    '--steps',
    '1',
    '-q',
    '--out',
    folder.at('maf'),
  );
  expect(flow.status).toBe(0);
});

it.each([
  ['normal', 'normal', ['--regularization', '2']],
  ['logistic', 'logistic', ['--draws', '4']],
  ['normal', 'logistic', ['--base', 'logistic', '--power', '0.5']],
] as const)('a %s teacher has a student of %s noise: %j', async (teacher, base, words) => {
  const out = `${teacher}-${base}`;
  const trained = await flowKernels(...student(teacher, out, ...words, '--epochs', '12', '--json'));
  expect(trained).toMatchObject({ status: 0, stderr: '' });
  const { model, validation, history, settings, training } = JSON.parse(trained.stdout);
  expect(model).toMatchObject({ kind: 'parallel-wavenet', features: 40 });
  expect(history.at(-1).trainLoss).toBeLessThan(history[0].trainLoss - 0.2);
  // Held-out rows are scored, and choose nothing.
  expect(training).toMatchObject({ epochs: 12, bestEpoch: null });
  expect(validation.natsPerMoment).toBeCloseTo(validation.nats.data / 40, 10);
  expect(settings.teacher).toBe(folder.at(teacher));
  const loaded = (await loadModel(folder.at(out, 'model.safetensors'))) as ParallelWaveNet;
  expect(loaded).toBeInstanceOf(ParallelWaveNet);
  expect(loaded.base).toBe(base);
  loaded.dispose();
  expect((await flowKernels('info', folder.at(out))).stdout).toMatch(/kind +parallelWaveNet/);
  const scored = await flowKernels('score', folder.at(out), sound);
  expect(scored.stdout.trim().split('\n')).toHaveLength(31);
  const wav = folder.at(`${out}.wav`);
  const sampled = ['sample', folder.at(out), '-n', '2', '--length', '90', '--out', wav, '-q'];
  expect(await flowKernels(...sampled)).toMatchObject({ status: 0, stderr: '' });
  const drawn = await readWav(wav);
  expect(drawn).toMatchObject({ rate: 8000, channels: 1 });
  expect(drawn.samples).toHaveLength(180);
});

it('learns from tables of numbers', async () => {
  const words = ['--model', 'parallel-wavenet', '--teacher', folder.at('table'), '--stacks', '1'];
  const out = folder.at('of-table');
  const told = await flowKernels('train', table, ...words, ...small, '--steps', '5', '--out', out);
  expect(told).toMatchObject({ status: 0, stderr: '' });
  const drawn = await flowKernels('sample', out, '-n', '3', '-q');
  expect(drawn.stdout.trim().split('\n')[0]?.split(',')).toHaveLength(8);
});

it('stops by Ctrl-C and goes on to the same weights, with the same teacher only', async () => {
  const [steps, out] = [['--epochs', '40'], 'stopped'];
  expect((await flowKernels(...student('normal', 'whole', ...steps))).status).toBe(0);
  const often = ['--checkpoint-every', '0.001'];
  const running = flowKernels(...student('normal', out, ...steps, ...often));
  while (!existsSync(folder.at(out, 'checkpoint.safetensors'))) await setTimeout(1);
  process.emit('SIGINT', 'SIGINT');
  const { status, stderr } = await running;
  expect([status, stderr]).toEqual([130, expect.stringMatching(/stopped after .* go on with/)]);
  expect(existsSync(folder.at(out, 'model.safetensors'))).toBe(false);
  const resume = ['train', '--resume', '--out', folder.at(out), '-q'];
  await teach('normal', sound, '--likelihood', 'normal', '--steps', '9', '--force');
  expect(await flowKernels(...resume)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/expected the teacher that the run was started with/),
  });
  await teach('normal', sound, '--likelihood', 'normal', '--steps', '10', '--force');
  expect((await flowKernels(...resume)).status).toBe(0);
  expect(await weights(out)).toEqual(await weights('whole'));
});

it.each([
  ['normal', ['--teacher', 'nowhere'], 1, /nowhere: expected a readable file/],
  ['maf', [], 2, /it is a model of kind flow: give a WaveNet/],
  ['categorical', [], 2, /its likelihood is categorical, and levels have no gradient/],
  ['table', [], 2, /it was trained on a table, .*tone.wav is sound/],
  ['normal', ['--base', 'student-t'], 2, /--model parallel-wavenet has normal or logistic/],
  ['normal', ['--draws', '2'], 2, /the divergence .* is exact: leave it out/],
  ['logistic', ['--regularization', '2'], 2, /--regularization is for normal noise and a normal/],
  ['normal', ['--dtype', 'float64'], 2, /--dtype float64: the teacher is of float32/],
  ['normal', ['--patience', '3'], 2, /--patience: .* does not end its training: leave it out/],
  ['normal', ['--levels', '5'], 2, /takes numbers as they are/],
  ['normal', ['--likelihood', 'normal'], 2, /parallel-wavenet has no --likelihood/],
  ['normal', ['--validation', 'fast.wav'], 1, /expected 8000 samples a second, .* got 16000/],
] as const)('says what does not go together: %s %j', async (teacher, words, status, says) => {
  const given = words.map((word) => (word === 'fast.wav' ? folder.at(word) : word));
  const told = await flowKernels(...student(teacher, 'no', ...given));
  expect(told).toMatchObject({ status, stderr: expect.stringMatching(says) });
});

it.each([
  [['--model', 'parallel-wavenet'], /learns from another model: pass --teacher with a WaveNet/],
  [['--model', 'wavenet', '--teacher', 'x'], /--model wavenet has no --teacher: leave it out/],
  [['--model', 'wavenet', '--stacks', '1,2'], /--model wavenet takes one number here/],
  [['--model', 'parallel-wavenet', '--teacher', 'levels'], /its table is of levels/],
])('and without a student: %j', async (words, says) => {
  const given = words.map((word) => (word === 'levels' ? folder.at(word) : word));
  const told = await flowKernels('train', table, ...given, '-q', '--out', folder.at('no'));
  expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(says) });
});

it('does not write over its teacher', async () => {
  const told = await flowKernels(...student('normal', 'normal', '--force'));
  expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(/the teacher is there/) });
});
