/** WaveNets from the command line: sound in, sound out. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav } from '../../lib/data/readers/wav';
import { writeWav } from '../../lib/data/writers/wav';
import { loadModel, WaveNet } from '../../lib/models';
import { flowKernels, workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

const speech = folder.at('speech');
const tone = (pitch: number) =>
  Float32Array.from({ length: 700 }, (_, t) => 0.6 * Math.sin(pitch * t) + 0.2 * Math.sin(t / 9));
beforeAll(async () => {
  mkdirSync(folder.at('speech', 'deep'), { recursive: true });
  await writeWav(folder.at('speech', 'a.wav'), { samples: tone(0.2), rate: 8000 });
  await writeWav(folder.at('speech', 'deep', 'b.wav'), { samples: tone(0.3), rate: 8000 });
  await writeWav(folder.at('fast.wav'), { samples: tone(0.3), rate: 16000 });
});
const quick = [
  ...['--model', 'wavenet', '--hidden', '8', '--layers', '4', '--stacks', '1', '-q'],
  ...['--window', '100', '--epochs', '20', '--lr', '0.02'],
];

describe('on sound', () => {
  it.each([
    ['categorical', 8],
    ['logistic', 16],
    ['normal', null],
  ] as const)('trains, scores, describes and speaks: %s', async (likelihood, bits) => {
    const out = folder.at(likelihood);
    const words = likelihood === 'categorical' ? [] : ['--likelihood', likelihood];
    const trained = await flowKernels('train', speech, ...quick, ...words, '--out', out, '--json');
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const { model, validation } = JSON.parse(trained.stdout);
    expect(model).toMatchObject({ kind: 'wavenet', features: 100 });
    // Better than levels that are all alike.
    if (bits) expect(validation.bitsPerDim).toBeLessThan(bits);
    const loaded = (await loadModel(`${out}/model.safetensors`)) as WaveNet;
    expect(loaded).toBeInstanceOf(WaveNet);
    expect(loaded.likelihood.kind).toBe(likelihood);
    loaded.dispose();
    expect((await flowKernels('info', out)).stdout).toMatch(/kind +waveNet/);
    const scored = await flowKernels('score', out, speech, '-q');
    expect(scored.stdout.trim().split('\n')).toHaveLength(15);
    const path = folder.at(`${likelihood}.wav`);
    const drawn = await flowKernels(
      ...['sample', out, '-n', '2', '--length', '250', '--seed', '4', '--out', path],
      ...['--temperature', '0.9', '-q'],
    );
    expect(drawn).toMatchObject({ status: 0, stderr: '' });
    const sound = await readWav(path);
    expect(sound).toMatchObject({ rate: 8000, channels: 1 });
    expect(sound.samples.length).toBe(500);
    expect(sound.samples.some((x) => Math.abs(x) > 0.01)).toBe(true);
  });

  it('asks for the rate of the training', async () => {
    const told = await flowKernels('score', folder.at('categorical'), folder.at('fast.wav'), '-q');
    expect(told).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /expected 8000 samples a second, as the training data, got 16000/,
      ),
    });
  });

  it.each([
    [['--columns', 'x'], /are not for sound/],
    [
      ['--levels', '9', '--likelihood', 'categorical'],
      /sound has 256 levels with --likelihood categorical: leave it out/,
    ],
    [['--likelihood', 'bernoulli'], /--model wavenet has categorical, logistic or normal/],
    [['--standardize'], /takes the data as they are/],
    [['--transforms', '3'], /--model wavenet has no --transforms/],
    [['--model', 'maf', '--layers', '3'], /--model maf has no --layers/],
  ])('says what does not go together: %j', async (words, says) => {
    const told = await flowKernels('train', speech, ...quick, ...words, '--out', folder.at('no'));
    expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(says) });
  });
});

describe('told whose voice, and what is heard when', () => {
  const [voices, out] = [folder.at('voices'), folder.at('told')];
  const at = (voice: string) => folder.at('voices', voice, 'one.wav');
  const scores = async (path: string) =>
    (await flowKernels('score', out, path, '-q')).stdout.trim().split('\n').slice(1);
  beforeAll(async () => {
    for (const [voice, pitch] of [
      ['anna', 0.4],
      ['bert', 0.15],
    ] as const) {
      mkdirSync(folder.at('voices', voice), { recursive: true });
      await writeWav(at(voice), { samples: tone(pitch), rate: 8000 });
    }
    const words = ['--likelihood', 'normal', '--labels', '--spectrum', '3', '--hop', '20'];
    const told = await flowKernels('train', voices, ...quick, ...words, '--out', out);
    expect(told).toMatchObject({ status: 0, stderr: '' });
  });

  it('keeps bands and classes with the model, and takes files by their folders', async () => {
    const loaded = (await loadModel(`${out}/model.safetensors`)) as WaveNet;
    // Five frames of three bands, then a column a class.
    expect(loaded.contextFeatures).toBe(17);
    expect(loaded.conditioning).toEqual({ local: { channels: 3, hop: 20 }, global: 2 });
    expect(loaded.contextPreprocessing?.features).toBe(5);
    loaded.dispose();
    const both = [...(await scores(at('anna'))), ...(await scores(at('bert')))];
    expect(await scores(voices)).toEqual(both);
  });

  it('says a sound again, with another voice', async () => {
    const drawn = async (voice: string, model = out) => {
      const path = folder.at('again.wav');
      const words = ['--context-file', at('anna'), '--class', voice, '--seed', '1', '--out', path];
      expect(await flowKernels('sample', model, ...words, '-q')).toMatchObject({ status: 0 });
      return Array.from((await readWav(path)).samples);
    };
    const [as, asOther] = [await drawn('anna'), await drawn('bert')];
    expect([as.length, asOther.length]).toEqual([700, 700]);
    expect(as).not.toEqual(asOther);
    const student = folder.at('student');
    const words = ['--model', 'parallel-wavenet', '--teacher', out, '--stacks', '1', '-q'];
    const sizes = ['--hidden', '4', '--layers', '2', '--steps', '2', '--out', student];
    expect(await flowKernels('train', voices, ...words, ...sizes)).toMatchObject({ status: 0 });
    expect(await drawn('bert', student)).toHaveLength(700);
  });

  it.each([
    [[], /told what is heard when: pass --context-file with a WAV file/],
    [['--context-file', 'anna'], /the model has classes: pass --class with one of anna, bert/],
    [['--context-file', 'anna', '--class', 'carl'], /the model knows one of anna, bert/],
    [['--context-file', 'anna', '--class', 'anna', '--length', '9'], /leave out --context and/],
  ])('asks for what it is to say: %j', async (words, says) => {
    const given = words.map((word, k) => (words[k - 1] === '--context-file' ? at(word) : word));
    const told = await flowKernels('sample', out, ...given, '-q');
    expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(says) });
  });

  it.each([
    ['speech', ['--labels'], 2, /has sounds that are in no subfolder/],
    ['voices', ['--labels', 'x.csv'], 2, /--labels takes no file for sound/],
    ['voices', ['--hop', '10'], 2, /--hop is for --spectrum/],
    ['voices', ['--spectrum', '3', '--hop', '30'], 2, /a divisor of --window 100/],
    ['voices', ['--spectrum', '30', '--hop', '20'], 2, /a frame has 20 samples, no more bands/],
    ['levels.csv', ['--spectrum', '3'], 2, /--spectrum and --hop are for sound/],
  ] as const)('says what does not go together: %s %j', async (data, words, status, says) => {
    writeFileSync(folder.at('levels.csv'), '1,2\n3,4\n5,6\n');
    const told = await flowKernels('train', folder.at(data), ...quick, ...words, '--out', 'no');
    expect(told).toMatchObject({ status, stderr: expect.stringMatching(says) });
  });

  it('knows the classes of its training only', async () => {
    const told = await flowKernels('score', out, folder.at('speech', 'deep'), '-q');
    expect(told.stderr).toMatch(/no subfolder/);
    const other = await flowKernels('score', out, folder.at('speech', 'deep', 'b.wav'), '-q');
    expect(other).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/expected classes of the model: anna, bert, got deep/),
    });
  });
});

it('takes tables as sequences', async () => {
  const table = folder.at('levels.csv');
  const rows = Array.from({ length: 60 }, (_, n) =>
    Array.from({ length: 12 }, (_, t) => (n + t) % 5).join(','),
  );
  writeFileSync(table, rows.join('\n'));
  const out = folder.at('table');
  const words = ['--levels', '5', '--epochs', '30', '--out', out, '--json'];
  const trained = await flowKernels('train', table, ...quick, ...words);
  expect(trained.status).toBe(0);
  // The first level is free, the others follow from it.
  expect(JSON.parse(trained.stdout).validation.nats.data).toBeGreaterThan(-4);
  const drawn = await flowKernels('sample', out, '-n', '3', '-q');
  expect(drawn.stdout).toMatch(/^([0-4],){11}[0-4]\n/);
});
