/** Image flows from the command line: reading, training, sampling by class, inpainting, interpolation. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runsOf } from '../../lib/cli/info';
import { readNpy } from '../../lib/data/readers/npy';
import { Flow } from '../../lib/flows';
import { flowKernels, uniforms, workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

/** An IDX file of bytes. */
function writeIdx(path: string, shape: number[], data: ArrayLike<number>): string {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 8;
  header[3] = shape.length;
  shape.forEach((size, axis) => {
    header.writeUInt32BE(size, 4 + 4 * axis);
  });
  writeFileSync(path, Buffer.concat([header, Uint8Array.from(data)]));
  return path;
}

const count = 300;
/** 6 × 6: class 0 bright above, class 1 bright below. */
function pixels(): number[] {
  const random = uniforms(3);
  return Array.from({ length: count * 36 }, (_, i) => {
    const above = i % 36 < 18;
    const bright = above === (Math.floor(i / 36) % 2 === 0);
    return Math.floor((bright ? 170 : 40) + 30 * random());
  });
}
const images = folder.at('images-idx3-ubyte');
const labels = folder.at('labels-idx1-ubyte');
const photos = folder.at('photos');
const glowRun = folder.at('glow');
const quick = ['--hidden', '6', '--transforms', '2', '--epochs', '6', '--batch-size', '50', '-q'];

beforeAll(async () => {
  writeIdx(images, [count, 6, 6], pixels());
  writeIdx(
    labels,
    [count],
    Array.from({ length: count }, (_, n) => n % 2),
  );
  for (const [name, color] of [
    ['red', [200, 30, 30]],
    ['blue', [30, 30, 200]],
  ] as const) {
    mkdirSync(join(photos, name), { recursive: true });
    const random = uniforms(color[0]);
    for (let n = 0; n < 30; n++) {
      const png = new PNG({ width: 12, height: 16 });
      for (let i = 0; i < 12 * 16; i++) {
        const pixel = color.map((value) => Math.floor(value + 40 * random()));
        png.data.set([...pixel, 255], 4 * i);
      }
      writeFileSync(join(photos, name, `${n}.png`), PNG.sync.write(png));
    }
  }
  const words = ['--model', 'glow', '--pad', '8', '--labels', labels, '--out', glowRun, ...quick];
  const { status, stderr } = await flowKernels(
    'train',
    images,
    ...words,
    '--lr',
    '3e-3',
    '--epochs',
    '40',
  );
  expect([status, stderr]).toEqual([0, '']);
});

const picture = (path: string) => PNG.sync.read(readFileSync(path));

describe('glow on padded images with labels', () => {
  it('leaves a conditional model that remembers size and classes', async () => {
    const flow = await Flow.load(`${glowRun}/model.safetensors`);
    expect([flow.features, flow.contextFeatures]).toEqual([64, 2]);
    expect(flow.description).toMatchObject({ image: '[8,8,1]', classes: '["0","1"]' });
    expect([...flow.namedParameters().keys()]).toContain(
      'bijection.0.3.conditioner.middle.logScale',
    );
    expect(flow.preprocessing?.config()).toMatchObject({
      kind: 'chain',
      bijections: [{ kind: 'affine' }, { kind: 'logit', lambda: 1e-6 }],
    });
    flow.dispose();
    const report = JSON.parse(readFileSync(`${glowRun}/report.json`, 'utf8'));
    expect(report.data.image).toEqual([8, 8, 1]);
    expect(report.validation.bitsPerDim).toBeLessThan(8);
    expect(picture(`${glowRun}/samples.png`).width).toBeGreaterThan(80);
  });

  it('is described scale by scale', async () => {
    const { stdout } = await flowKernels('info', glowRun);
    expect(stdout).toMatch(
      /chain +scale 1\n +squeeze\n +2 × \[actNorm; luLinear; coupling of the second part, tanh, by convNet\]\n +coupling of the second part, tanh, by singleConv\n +scale 2\n/,
    );
    expect(runsOf(['a', 'b', 'c', 'b', 'c', 'd', 'd'])).toEqual(['a', '2 × [b; c]', '2 × [d]']);
  });

  it('draws a class', async () => {
    const out = folder.at('class.npy');
    const { status } = await flowKernels(
      'sample',
      glowRun,
      '-n',
      '40',
      '--class',
      '1',
      '--seed',
      '1',
      '--out',
      out,
      '-q',
    );
    expect(status).toBe(0);
    const { data, shape } = await readNpy(out);
    expect(shape).toEqual([40, 8, 8]);
    const mean = (upper: boolean) => {
      const own = Array.from(data).filter((_, i) => i % 64 < 32 === upper);
      return own.reduce((sum, value) => sum + value, 0) / own.length;
    };
    expect(mean(false)).toBeGreaterThan(mean(true) + 20);
    const strange = await flowKernels('sample', glowRun, '--class', 'cat');
    expect([strange.status, strange.stderr]).toEqual([
      2,
      expect.stringMatching(/--class cat: the model knows one of 0, 1/),
    ]);
    const none = await flowKernels('sample', glowRun);
    expect(none.stderr).toMatch(/conditional: pass --class with a class/);
  });

  it('scores images as they were before the padding', async () => {
    const words = ['--labels', labels, '--bits-per-dim', '-q'];
    const { status, stdout } = await flowKernels('score', glowRun, images, ...words);
    expect(status).toBe(0);
    const scores = stdout.trim().split('\n').slice(1).map(Number);
    expect(scores.length).toBe(count);
    expect(scores.every((score) => score > 0 && score < 9)).toBe(true);
    const without = await flowKernels('score', glowRun, images);
    expect([without.status, without.stderr]).toEqual([
      2,
      expect.stringMatching(/--labels: .*images-idx3-ubyte has none of its own: give the file/),
    ]);
  });

  it('fills in missing parts', async () => {
    const words = [
      '--labels',
      labels,
      '-n',
      '4',
      '--mask',
      'left',
      '--iterations',
      '5',
      '--seed',
      '2',
    ];
    const npy = folder.at('inpainted.npy');
    const { status, stderr } = await flowKernels(
      'inpaint',
      glowRun,
      images,
      ...words,
      '--out',
      npy,
    );
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/^4 images, mean log p -?\d.*inpainted\.npy\n$/),
    ]);
    const { data } = await readNpy(npy);
    const source = pixels();
    for (let n = 0; n < 4; n++)
      for (let y = 0; y < 6; y++)
        for (let x = 3; x < 6; x++)
          expect(data[n * 64 + (y + 1) * 8 + x + 1]).toBe(source[n * 36 + y * 6 + x]);
    const png = folder.at('inpainted.png');
    const drawn = [...words, '--sample', '--temperature', '0.8', '--out', png, '-q'];
    expect(await flowKernels('inpaint', glowRun, images, ...drawn)).toMatchObject({
      status: 0,
      stderr: '',
    });
    for (const [wrong, says] of [
      [['--sample', '--noise', '1'], /--noise: --sample finds its own steps/],
      [['--temperature', '1'], /--temperature: it belongs to --sample/],
    ] as const) {
      const refused = await flowKernels('inpaint', glowRun, images, ...wrong, '--out', png);
      expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(says)]);
    }
    // Triples: image, what was held (the rest in magenta), what came out.
    const sheet = picture(png);
    const magenta = Array.from({ length: sheet.width * sheet.height }, (_, i) => i).filter(
      (i) => sheet.data[4 * i] === 255 && sheet.data[4 * i + 1] === 0,
    );
    expect(magenta.length).toBeGreaterThan(4 * 32);
  });

  it('goes from image to image, and along a class', async () => {
    const out = folder.at('between.npy');
    const words = ['--labels', labels, '--steps', '3', '--pairs', '0:2,5:7', '-q'];
    expect((await flowKernels('interpolate', glowRun, images, ...words, '--out', out)).status).toBe(
      0,
    );
    const { data, shape } = await readNpy(out);
    expect(shape).toEqual([6, 8, 8, 1]);
    const source = pixels();
    for (const [row, n] of [
      [0, 0],
      [2, 2],
      [3, 5],
    ] as const)
      expect(
        Math.abs((data[row * 64 + 9] as number) - (source[n * 36] as number)),
      ).toBeLessThanOrEqual(1);
    const png = folder.at('along.png');
    const along = ['--labels', labels, '--steps', '5', '-n', '2', '--attribute', '1', '--out', png];
    expect(await flowKernels('interpolate', glowRun, images, ...along)).toEqual({
      status: 0,
      stdout: '',
      stderr: `10 rows; ${png}\n`,
    });
    const alike = folder.at('alike-labels');
    writeIdx(alike, [count], Array(count).fill(0));
    const lacks = ['--labels', alike, '--attribute', '1', '--out', png];
    const none = await flowKernels('interpolate', glowRun, images, ...lacks);
    expect([none.status, none.stderr]).toEqual([
      2,
      expect.stringMatching(/--attribute 1: none of the 300 rows are of this class/),
    ]);
    const missing = await flowKernels(
      'interpolate',
      glowRun,
      images,
      '--labels',
      labels,
      '--pairs',
      '0:900',
      '--out',
      out,
    );
    expect([missing.status, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/there are 300 rows, none with the index 900/),
    ]);
  });
});

describe('realnvp on a folder of images', () => {
  it('trains on the images in the size that is asked for, with the subfolders as classes', async () => {
    const run = folder.at('realnvp');
    const words = [
      '--model',
      'realnvp',
      '--size',
      '8',
      '--labels',
      '--hidden',
      '4',
      '--blocks',
      '1',
    ];
    const { status, stderr } = await flowKernels(
      'train',
      photos,
      ...words,
      '--epochs',
      '2',
      '--batch-size',
      '20',
      '--out',
      run,
      '-q',
    );
    expect([status, stderr]).toEqual([0, '']);
    const flow = await Flow.load(`${run}/model.safetensors`);
    expect(flow.description).toMatchObject({ image: '[8,8,3]', classes: '["blue","red"]' });
    flow.dispose();
    // Photos of 16 × 12 are made as small as those of the training, and have their classes.
    const score = await flowKernels('score', run, photos, '-q');
    expect([score.status, score.stdout.trim().split('\n').length]).toEqual([0, 61]);
    const png = folder.at('colors.png');
    const along = ['--attribute', 'red', '-n', '2', '--steps', '3', '--out', png, '-q'];
    expect((await flowKernels('interpolate', run, photos, ...along)).status).toBe(0);
    expect(picture(png).width).toBeGreaterThan(24);
  });

  it('trains flowpp with learned noise: a bound, which importance weights tighten', async () => {
    const run = folder.at('flowpp');
    const words = ['--model', 'flowpp', '--size', '8', '--hidden', '4', '--blocks', '1'];
    const more = ['--transforms', '1', '--dequantization', 'variational', '--importance', '3'];
    const fast = ['--epochs', '2', '--batch-size', '20', '--out', run, '-q', '--json'];
    const trained = await flowKernels('train', photos, ...words, ...more, ...fast);
    expect([trained.status, trained.stderr]).toEqual([0, '']);
    const { model, validation } = JSON.parse(trained.stdout);
    expect(model.kind).toBe('flowpp');
    expect(validation.bitsPerDim).toBeCloseTo(-validation.nats.data / (192 * Math.LN2), 9);
    const scores = async (...draws: string[]) => {
      const { stdout, status } = await flowKernels('score', run, photos, '-q', ...draws);
      expect(status).toBe(0);
      return stdout.trim().split('\n').slice(1).map(Number);
    };
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(mean(await scores('--importance', '8'))).toBeGreaterThan(mean(await scores()));
    const drawn = await flowKernels('sample', run, '-n', '4', '--out', folder.at('some.png'), '-q');
    expect(drawn.status).toBe(0);
    expect((await flowKernels('info', run)).stdout).toMatch(/noise/);
  });

  it('takes images as rows with --flat', async () => {
    const run = folder.at('flat');
    const words = [
      '--model',
      'realnvp',
      '--flat',
      '--hidden',
      '8',
      '--epochs',
      '1',
      '-q',
      '--out',
      run,
    ];
    expect((await flowKernels('train', images, ...words)).status).toBe(0);
    const flow = await Flow.load(`${run}/model.safetensors`);
    expect([flow.bijection.config().kind, flow.features]).toEqual(['chain', 36]);
    flow.dispose();
  });
});

describe('image options that do not fit', () => {
  it.each([
    [['--model', 'glow', '--hidden', '8,8'], /takes one number here, its channels/],
    [['--model', 'glow', '--permutation', 'none'], /mixes the channels/],
    [['--model', 'glow', '--blocks', '2'], /--model glow has no --blocks: leave it out/],
    [
      ['--model', 'glow', '--scales', '3'],
      /\[glow\] image: expected a height and width that are multiples of 8/,
    ],
    [['--model', 'maf', '--scales', '3'], /--model maf has no --scales: leave it out/],
    [['--model', 'maf', '--permutation', 'lu'], /--permutation lu is for --model glow/],
    [['--model', 'realnvp', '--transforms', '3'], /--model realnvp on images has no --transforms/],
    [['--pad', '4'], /--pad 4: the images are 6 × 6 already/],
    [['--size', '4'], /--size is for folders of images/],
    [['--labels'], /--labels: .* has none of its own/],
    [['--columns', '1', '--pad', '8'], /--columns, --exclude and --context-columns are for tables/],
  ])('%s', async (words, sentence) => {
    const { status, stderr } = await flowKernels(
      'train',
      images,
      ...words,
      '--out',
      folder.at('no'),
    );
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(sentence);
  });

  it('odd sides', async () => {
    const odd = writeIdx(folder.at('odd-idx3-ubyte'), [10, 5, 5], new Uint8Array(250));
    const { stderr } = await flowKernels('train', odd, '--model', 'glow', '--out', folder.at('no'));
    expect(stderr).toMatch(/images of 5 × 5 cannot be halved: --pad them to 6/);
  });
});
