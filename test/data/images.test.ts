import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import {
  CIFAR10_CLASSES,
  imageShapeOf,
  loadCifar10,
  oneHot,
  padImages,
  readCifar10,
  readImageFolder,
} from '../../lib/data';
import { failure, temporaryFiles } from './files';

const write = temporaryFiles();

/** A record whose byte of channel c at (y, x) is (k + 3y + 5x + 70c) mod 256. */
function record(label: number, k: number): Uint8Array {
  const bytes = new Uint8Array(3073);
  bytes[0] = label;
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < 32; y++)
      for (let x = 0; x < 32; x++)
        bytes[1 + c * 1024 + y * 32 + x] = (k + 3 * y + 5 * x + 70 * c) % 256;
  return bytes;
}

describe('CIFAR-10', () => {
  const batch = Buffer.concat([record(3, 10), record(9, 200), record(0, 0)]);

  it.each([
    ['batch.bin', batch],
    ['batch.bin.gz', gzipSync(batch)],
  ])('reads %s: channels last, labels and their names', async (name, content) => {
    const images = await readCifar10(write(name, content));
    expect(images.shape).toEqual([3, 32, 32, 3]);
    expect([...images.labels]).toEqual([3, 9, 0]);
    expect([...images.labels].map((label) => images.classes[label])).toEqual([
      'cat',
      'truck',
      'airplane',
    ]);
    for (const [n, k] of [10, 200, 0].entries())
      for (const [y, x, c] of [
        [0, 0, 0],
        [0, 1, 2],
        [31, 31, 1],
        [17, 4, 2],
      ] as const)
        expect(images.data[((n * 32 + y) * 32 + x) * 3 + c]).toBe(
          (k + 3 * y + 5 * x + 70 * c) % 256,
        );
  });

  it('joins the five batches of a folder', async () => {
    const folders = [1, 2, 3, 4, 5].map((k) => write(`data_batch_${k}.bin`, record(k, 20 * k)));
    write('test_batch.bin', record(7, 1));
    const folder = dirname(folders[0] as string);
    const train = await loadCifar10({ folder, split: 'train' });
    expect([train.shape, [...train.labels]]).toEqual([
      [5, 32, 32, 3],
      [1, 2, 3, 4, 5],
    ]);
    expect(train.data[2 * 3072]).toBe(60);
    expect([...(await loadCifar10({ folder, split: 'test' })).labels]).toEqual([7]);
    expect(train.classes).toEqual(CIFAR10_CLASSES);
  });

  it('names the file and the record that is cut, or has a label that cannot be', async () => {
    const cut = await failure(
      readCifar10(write('cut.bin', batch.subarray(0, 3073 + 100))),
      'FORMAT',
    );
    expect(cut.message).toMatch(
      /^\[readCifar10\] .*cut\.bin: record 1 \(counted from 0\): expected 3073 bytes, got 100 bytes: /,
    );
    const odd = Buffer.concat([record(1, 1), record(10, 1)]);
    const label = await failure(readCifar10(write('odd.bin', odd)), 'DATA');
    expect(label.message).toMatch(/odd\.bin: record 1 .*: expected a label from 0 to 9, got 10: /);
    await failure(readCifar10(write('empty.bin', '')), 'FORMAT');
    await failure(readCifar10('nowhere.bin'), 'FILE');
  });
});

type Color = (y: number, x: number) => readonly [number, number, number, number?];

function png(height: number, width: number, color: Color): Buffer {
  const image = new PNG({ width, height });
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [r, g, b, a = 255] = color(y, x);
      image.data.set([r, g, b, a], (y * width + x) * 4);
    }
  return PNG.sync.write(image);
}

/** A folder with these files. */
function folderOf(name: string, files: Readonly<Record<string, Uint8Array | string>>): string {
  const root = join(dirname(write('anchor', '')), name);
  rmSync(root, { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const ramp: Color = (y, x) => [10 * y, 20 * x, 7];

describe('a folder of images', () => {
  it('gives the pixels of PNG files in the order of their names', async () => {
    const folder = folderOf('plain', {
      'b.png': png(2, 3, ramp),
      'a.PNG': png(2, 3, () => [1, 2, 3]),
      'notes.txt': 'nothing',
    });
    const images = await readImageFolder(folder);
    expect(images.shape).toEqual([2, 2, 3, 3]);
    expect(images.files).toEqual(['a.PNG', 'b.png']);
    expect([...images.data.subarray(18)]).toEqual(
      [0, 1].flatMap((y) => [0, 1, 2].flatMap((x) => [10 * y, 20 * x, 7])),
    );
    expect([images.classes, [...images.labels]]).toEqual([[''], [0, 0]]);
  });

  it('takes subfolders for classes', async () => {
    const one = png(2, 2, ramp);
    const folder = folderOf('classes', {
      'dogs/1.png': one,
      'cats/2.png': one,
      'cats/1.png': one,
      'empty/readme.md': '',
    });
    const images = await readImageFolder(folder);
    expect(images.classes).toEqual(['cats', 'dogs']);
    expect([...images.labels]).toEqual([0, 0, 1]);
    expect(images.files).toEqual([
      join('cats', '1.png'),
      join('cats', '2.png'),
      join('dogs', '1.png'),
    ]);
  });

  it('reads JPEG within its loss', async () => {
    // Smooth, so that little is lost.
    const color = (y: number, x: number) => [60 + 4 * y, 90 + 3 * x, 120 + y + x] as const;
    const data = new Uint8Array(16 * 16 * 4);
    for (let i = 0; i < 256; i++) data.set([...color(Math.floor(i / 16), i % 16), 255], 4 * i);
    const { data: bytes } = encode({ data, width: 16, height: 16 }, 95);
    const images = await readImageFolder(folderOf('jpeg', { 'a.jpg': bytes }));
    expect(images.shape).toEqual([1, 16, 16, 3]);
    for (let i = 0; i < 256; i++)
      for (let c = 0; c < 3; c++)
        expect(
          Math.abs(
            (images.data[3 * i + c] as number) - (color(Math.floor(i / 16), i % 16)[c] as number),
          ),
        ).toBeLessThanOrEqual(5);
  });

  it('makes grey images of one channel, unless told otherwise', async () => {
    const folder = folderOf('grey', {
      'a.png': png(2, 2, (y, x) => [9 * y + x, 9 * y + x, 9 * y + x]),
    });
    const grey = await readImageFolder(folder);
    expect([grey.shape, [...grey.data]]).toEqual([
      [1, 2, 2],
      [0, 1, 9, 10],
    ]);
    expect((await readImageFolder(folder, { channels: 3 })).shape).toEqual([1, 2, 2, 3]);
    const colored = folderOf('colored', { 'a.png': png(1, 1, () => [255, 0, 0]) });
    expect([...(await readImageFolder(colored, { channels: 1 })).data]).toEqual([76]);
  });

  it('draws what is transparent over white', async () => {
    const folder = folderOf('alpha', {
      'a.png': png(1, 2, (_, x) => [100, 0, 50, x === 0 ? 0 : 128]),
    });
    const { data } = await readImageFolder(folder);
    expect([...data]).toEqual([255, 255, 255, 177, 127, 152]);
  });

  it('crops to the middle, or shrinks by averaging first', async () => {
    const folder = folderOf('sizes', { 'a.png': png(4, 6, (y, x) => [y, x, 0]) });
    const crop = await readImageFolder(folder, { size: 2, fit: 'crop' });
    expect([crop.shape, [...crop.data]]).toEqual([
      [1, 2, 2, 3],
      [1, 2, 0, 1, 3, 0, 2, 2, 0, 2, 3, 0],
    ]);
    // 4 × 6 → 2 × 3 by means of 2 × 2 pixels, of which the first two columns are the middle.
    const coarse = folderOf('coarse', { 'a.png': png(4, 6, (y, x) => [40 * y, 10 * x, 0]) });
    const cover = await readImageFolder(coarse, { size: 2, fit: 'cover' });
    expect([...cover.data]).toEqual([20, 5, 0, 20, 25, 0, 100, 5, 0, 100, 25, 0]);
    // 3 → 2: each new pixel is one and a half old ones.
    const thirds = folderOf('thirds', { 'a.png': png(3, 3, (_, x) => [30 * x, 90, 0]) });
    const two = await readImageFolder(thirds, { size: 2, fit: 'cover' });
    expect([...two.data.subarray(0, 6)]).toEqual([10, 90, 0, 50, 90, 0]);
  });

  it('names the file that is of another size, damaged, or no image', async () => {
    const good = png(4, 4, ramp);
    const size = folderOf('bad', { 'a.png': good, 'b.png': png(4, 5, ramp) });
    expect((await failure(readImageFolder(size), 'DATA')).message).toMatch(
      /^\[readImageFolder\] .*b\.png: expected 4 × 4 pixels, got 4 × 5: set fit to 'crop' or 'cover'/,
    );
    expect(
      (await failure(readImageFolder(size, { size: 8, fit: 'crop' }), 'DATA')).message,
    ).toMatch(/a\.png: expected at least 8 × 8 pixels, got 4 × 4: /);
    const damaged = folderOf('damaged', { 'a.png': good.subarray(0, good.length - 20) });
    expect((await failure(readImageFolder(damaged), 'FORMAT')).message).toMatch(
      /a\.png: expected a whole PNG image, got one that cannot be decoded/,
    );
    const cutJpeg = encode({ data: new Uint8Array(64 * 64 * 4), width: 64, height: 64 }, 50).data;
    const jpeg = folderOf('cutJpeg', { 'a.jpg': cutJpeg.subarray(0, 60) });
    expect((await failure(readImageFolder(jpeg), 'FORMAT')).message).toMatch(
      /a\.jpg: expected a whole JPEG/,
    );
    const text = folderOf('text', { 'a.png': 'no image' });
    expect((await failure(readImageFolder(text), 'FORMAT')).message).toMatch(
      /a\.png: expected a PNG or JPEG image, got another format/,
    );
    const mixed = folderOf('mixed', { 'a.png': good, 'c/b.png': good });
    expect((await failure(readImageFolder(mixed), 'DATA')).message).toMatch(
      /got a\.png beside the folder c/,
    );
    await failure(readImageFolder(folderOf('none', { 'a.txt': '' })), 'DATA');
    await failure(readImageFolder(join(size, 'nowhere')), 'FILE');
  });
});

describe('padding', () => {
  it('puts the images into the middle', () => {
    const data = Uint8Array.from({ length: 2 * 2 * 3 * 2 }, (_, i) => i + 1);
    const images = { data, rows: 2, cols: 12, shape: [2, 2, 3, 2], source: '' };
    const padded = padImages(images, 4, 5, 9);
    expect(padded.shape).toEqual([2, 4, 5, 2]);
    expect(padded.cols).toBe(40);
    for (let n = 0; n < 2; n++)
      for (let y = 0; y < 4; y++)
        for (let x = 0; x < 5; x++)
          for (let c = 0; c < 2; c++) {
            const inside = y >= 1 && y < 3 && x >= 1 && x < 4;
            const expected = inside ? ((n * 2 + y - 1) * 3 + x - 1) * 2 + c + 1 : 9;
            expect(padded.data[((n * 4 + y) * 5 + x) * 2 + c]).toBe(expected);
          }
    expect(() => padImages(images, 1, 5)).toThrow(/size: expected at least 2 × 3, got 1 × 5/);
    expect(imageShapeOf(padded)).toEqual({ height: 4, width: 5, channels: 2 });
    expect(() => imageShapeOf({ shape: [3, 4] })).toThrow(/expected \[N, H, W\]/);
  });
});

describe('labels as context', () => {
  it('are rows with one 1', () => {
    expect([...oneHot([2, 0], 3).data]).toEqual([0, 0, 1, 1, 0, 0]);
    expect(() => oneHot([0, 3], 3)).toThrow(
      /labels\[1\]: expected a whole number from 0 to 2, got 3/,
    );
  });
});

it('jpeg-js is a dependency, not only there by chance', () => {
  const { dependencies } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
  expect(dependencies).toHaveProperty('jpeg-js');
});
