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
