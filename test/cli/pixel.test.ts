/** Autoregressive models of images from the command line. */
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readNpy } from '../../lib/data/readers/npy';
import { flowKernels, uniforms, workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

/** 5 × 4: bright above or below, as IDX. */
const images = folder.at('images-idx3-ubyte');
{
  const random = uniforms(3);
  const header = Buffer.from([0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 5, 0, 0, 0, 4]);
  const pixels = Uint8Array.from({ length: 60 * 20 }, (_, i) => {
    const above = i % 20 < 8;
    return (above === (Math.floor(i / 20) % 2 === 0) ? 225 : 0) + Math.floor(30 * random());
  });
  writeFileSync(images, Buffer.concat([header, pixels]));
}
const quick = ['--epochs', '3', '--layers', '1', '-q'];

describe('train --model', () => {
  it.each([
    ['pixelcnn', ['--hidden', '4'], 2],
    ['pixelcnn', ['--hidden', '4', '--gated', '--likelihood', 'categorical'], 256],
    ['pixelrnn', ['--hidden', '4', '--scan', 'row', '--likelihood', 'logistic'], 256],
  ])('%s %j', async (model, options, levels) => {
    const out = folder.at(`run-${levels}-${model}`);
    const trained = await flowKernels(
      'train',
      images,
      '--model',
      model,
      ...options,
      ...quick,
      '--out',
      out,
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const told = await flowKernels('info', out);
    expect(told.stdout).toMatch(
      new RegExp(`kind +${model === 'pixelcnn' ? 'pixelCnn' : 'pixelRnn'}`),
    );
    const scored = await flowKernels('score', out, images, '--bits-per-dim', '-q');
    const scores = scored.stdout.trim().split('\n').slice(1).map(Number);
    expect(scores).toHaveLength(60);
    expect(Math.max(...scores)).toBeLessThan(Math.log2(levels) + 2);
    const drawn = folder.at('drawn.npy');
    expect(
      await flowKernels('sample', out, '-n', '3', '--seed', '2', '--out', drawn, '-q'),
    ).toMatchObject({ status: 0 });
    const { data, shape } = await readNpy(drawn);
    expect(shape).toEqual([3, 5, 4]);
    if (levels === 2) expect(new Set(data)).toEqual(new Set([0, 255]));
  });

  it.each([
    [['--model', 'pixelrnn', '--gated'], /--model pixelrnn has no --gated/],
    [['--model', 'pixelcnn', '--logit', '0.1'], /takes levels as they are/],
  ])('%j', async (options, says) => {
    const { status, stderr } = await flowKernels(
      'train',
      images,
      ...options,
      '--out',
      folder.at('none'),
    );
    expect(stderr).toMatch(says);
    expect(status).not.toBe(0);
  });
});
