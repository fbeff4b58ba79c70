/** Variational autoencoders from the command line. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Chain, Invert } from '../../lib/bijections';
import { readNpy } from '../../lib/data/readers/npy';
import { loadModel, Vae } from '../../lib/models';
import { flowKernels, uniforms, workFolder, writeBanana } from './harness';

const folder = workFolder();
afterAll(folder.remove);

const table = folder.at('banana.csv');
writeBanana(table, 600);
const columns = ['--columns', 'x,y'];
const small = ['--model', 'vae', '--batch-size', '50', '-q'];
const quick = [...small, '--hidden', '16'];

/** 4 × 4: bright above or below, as IDX. */
const images = folder.at('images-idx3-ubyte');
{
  const random = uniforms(3);
  const header = Buffer.from([0, 0, 8, 3, 0, 0, 0, 120, 0, 0, 0, 4, 0, 0, 0, 4]);
  const pixels = Uint8Array.from({ length: 120 * 16 }, (_, i) => {
    const above = i % 16 < 8;
    return (above === (Math.floor(i / 16) % 2 === 0) ? 225 : 0) + Math.floor(30 * random());
  });
  writeFileSync(images, Buffer.concat([header, pixels]));
}

describe('on a table', () => {
  it('trains with an IAF posterior and a MAF prior; scores, samples and describes', async () => {
    const out = folder.at('table');
    const trained = await flowKernels(
      ...['train', table, ...columns, ...quick, '--latents', '2', '--lr', '1e-2', '--epochs', '4'],
      ...['--posterior', 'iaf', '--transforms', '2', '--prior', 'maf', '--free-bits', '0.01'],
      ...['--kl-warmup', '20', '--importance', '20', '--out', out, '--json'],
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const { validation, model, settings } = JSON.parse(trained.stdout);
    expect(model.kind).toBe('vae');
    expect(settings).toMatchObject({ posterior: 'iaf', freeBits: 0.01, importance: 20 });
    expect(validation.nats.data).toBeGreaterThan(-6);
    const loaded = (await loadModel(`${out}/model.safetensors`)) as Vae;
    expect(loaded).toBeInstanceOf(Vae);
    expect(loaded).toMatchObject({ latents: 2, freeBits: { nats: 0.01 }, warmup: { steps: 20 } });
    loaded.dispose();

    const told = await flowKernels('info', out);
    expect(told.stdout).toMatch(
      /kind +vae[\s\S]*posterior +inverse of\n +2 × \[masked autoregressive/,
    );
    const scored = await flowKernels('score', out, table, '--importance', '10', '-q');
    expect(scored.stdout.trim().split('\n')).toHaveLength(601);
    const drawn = await flowKernels('sample', out, '-n', '5', '--seed', '2');
    expect(drawn.stdout).toMatch(/^x,y\n(-?[\d.e-]+,-?[\d.e-]+\n){5}$/);
    const other = await flowKernels('interpolate', out, table, '--out', folder.at('x.csv'));
    expect(other.stderr).toMatch(/expected a flow, got a vae/);
  });

  it.each([
    ['iaf-affine', 4],
    ['planar', 8],
    ['radial', 8],
    ['sylvester', 8],
  ])('trains with a posterior by name: %s', async (posterior, transforms) => {
    const out = folder.at(posterior);
    const words = ['--posterior', posterior, '--steps', '2', '--out', out];
    const trained = await flowKernels('train', table, ...columns, ...quick, ...words);
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const loaded = (await loadModel(`${out}/model.safetensors`)) as Vae;
    const { bijections } = (loaded.posterior as Invert).bijection as Chain;
    expect(bijections).toHaveLength(transforms);
    loaded.dispose();
  });

  it.each([
    [['--levels', '4'], /--likelihood normal takes no --levels/],
    [['--conv', '4'], /--conv is for images/],
    [['--blocks', '2'], /--model vae without --conv has no --blocks/],
    [['--transforms', '2'], /--model vae of a diagonal posterior has no --transforms/],
    [['--residual'], /--model vae has no --residual/],
    [['--likelihood', 'bernoulli', '--standardize'], /takes the data as they are/],
    [['--model', 'maf', '--latents', '3'], /--model maf has no --latents/],
  ])('says what does not go together: %j', async (words, says) => {
    const out = folder.at('none');
    const told = await flowKernels('train', table, ...columns, ...quick, ...words, '--out', out);
    expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(says) });
  });

  it('asks Bernoulli data to be numbers from 0 to 1', async () => {
    const words = ['--likelihood', 'bernoulli', '--out', folder.at('none')];
    const told = await flowKernels('train', table, ...columns, ...quick, ...words);
    expect(told).toMatchObject({ status: 1, stderr: expect.stringMatching(/from 0 to 1/) });
  });
});

describe('on images', () => {
  it.each([
    ['bits drawn anew', ['--hidden', '16']],
    ['levels, convolutions', ['--likelihood', 'logistic', '--conv', '2,3']],
  ])('trains and samples: %s', async (_name, words) => {
    const bits = !words.includes('logistic');
    const out = folder.at(`images${words.length}`);
    const trained = await flowKernels(
      ...['train', images, ...small, '--latents', '2', '--epochs', '40', '--lr', '1e-2', ...words],
      ...['--out', out, '--json'],
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const { validation } = JSON.parse(trained.stdout);
    // Fewer bits than a fair coin a pixel, or than levels of which all are as likely.
    expect(validation.bitsPerDim).toBeLessThan(bits ? 1 : 8);
    const sheet = folder.at('sheet.png');
    expect(await flowKernels('sample', out, '-n', '4', '--out', sheet, '-q')).toMatchObject({
      status: 0,
    });
    expect(PNG.sync.read(readFileSync(sheet)).width).toBeGreaterThan(8);
    const array = folder.at('rows.npy');
    await flowKernels('sample', out, '-n', '6', '--out', array, '-q', '--seed', '1');
    const { data, shape } = await readNpy(array);
    expect(shape).toEqual([6, 4, 4]);
    expect(data).toBeInstanceOf(Uint8Array);
    if (bits) expect([...new Set(data as Uint8Array)].sort()).toEqual([0, 255]);
    const scored = await flowKernels('score', out, images, '--importance', '4', '-q');
    expect(scored.stdout.trim().split('\n')).toHaveLength(121);
  });

  it('levels of a logistic are those of the command line', async () => {
    const out = folder.at('levels');
    const words = ['--likelihood', 'logistic', '--levels', '300', '--latents', '2', '--out', out];
    const trained = await flowKernels('train', images, ...quick, '--epochs', '1', ...words);
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const loaded = (await loadModel(`${out}/model.safetensors`)) as Vae;
    expect(loaded.dequantization).toEqual({ levels: 300 });
    loaded.dispose();
  });

  it('convolutions have no hidden layers of rows', async () => {
    const words = ['--conv', '2', '--out', folder.at('none')];
    const told = await flowKernels('train', images, ...quick, ...words);
    const stderr = expect.stringMatching(/--conv takes the place of --hidden/);
    expect(told).toMatchObject({ status: 2, stderr });
  });
});
