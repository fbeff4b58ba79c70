import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadMnist } from '../../lib/data/mnist';
import { readCsv } from '../../lib/data/readers/csv';
import { readNpy } from '../../lib/data/readers/npy';
import { detectFormat, readTable } from '../../lib/data/readers/readTable';
import { shortestFloat32, writeCsv } from '../../lib/data/writers/csv';
import { writeNpy } from '../../lib/data/writers/npy';
import { randomIntegers } from '../io/safetensorsFile';
import { FIXTURES, failure, temporaryFiles } from './files';

const write = temporaryFiles();
const fixture = (name: string) => join(FIXTURES, name);
const idx = Buffer.from([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9]);

describe('readTable', () => {
  it.each([
    ['csv', 'x.csv', Buffer.from('a,b\n1,2\n')],
    ['csv', 'x', Buffer.from('1 2\n3 4\n')],
    ['csv', 'x.npz', Buffer.from('1,2\n')],
    ['csv', 'x.csv.gz', gzipSync('a,b\n1,2\n')],
    ['csv', 'x.tsv', Buffer.from('\ufeff1\t2\n', 'utf16le')],
    ['npy', 'x.csv', readFileSync(fixture('f8.npy'))],
    ['npy', 'x.npy.gz', gzipSync(readFileSync(fixture('f8.npy')))],
    ['parquet', 'x', readFileSync(fixture('float.parquet'))],
    ['idx', 'x', idx],
    ['idx', 'x.gz', gzipSync(idx)],
  ])('finds out the format: %s in %s', async (format, name, bytes) => {
    const path = write(name, bytes);
    expect(await detectFormat(path)).toBe(format);
    const table = await readTable(path);
    expect(table.rows * table.cols).toBe(table.data.length);
    expect(table.data.length).toBeGreaterThan(1);
  });

  it('passes options on', async () => {
    const path = write('t.txt', '1;x\n2;y\n');
    const table = await readTable(path, { format: 'csv', exclude: [1], dtype: 'float32' });
    expect(table.data).toEqual(new Float32Array([1, 2]));
    expect((await readTable(write('x', idx), { dtype: 'float32' })).data).toEqual(
      new Float32Array([7, 9]),
    );
  });

  it.each<[string, string, Buffer, RegExp]>([
    ['a zip archive', 'x.npz', Buffer.from('PK\x03\x04rest'), /zip archive.*save it as npy/],
    ['HDF5', 'x.h5', Buffer.from('\x89HDF\r\n', 'latin1'), /HDF5/],
    ['other bytes', 'x.bin', Buffer.from([1, 2, 0, 3]), /other binary data/],
  ])('refuses %s', async (_what, name, bytes, message) => {
    const error = await failure(readTable(write(name, bytes)), 'UNSUPPORTED');
    expect(error.message).toMatch(message);
  });

  it('lets the reader of the name’s format say what is wrong with a damaged file', async () => {
    const magic = Buffer.from(readFileSync(fixture('f8.npy')));
    magic[1] = 0;
    expect((await failure(readTable(write('x.npy', magic)), 'FORMAT')).message).toMatch(/readNpy/);
    const error = await failure(readTable(write('x.parquet', Buffer.alloc(40))), 'FORMAT');
    expect(error.message).toMatch(/readParquet/);
    const images = write('x-idx3-ubyte', Buffer.from([0, 0, 7, 3, 1]));
    expect((await failure(readTable(images), 'FORMAT')).message).toMatch(/readIdx/);
  });

  it('refuses a missing file and an unknown format', async () => {
    await failure(readTable(fixture('no.csv')), 'FILE');
    const format = 'xlsx' as 'csv';
    await failure(readTable(fixture('f8.npy'), { format }), 'ARGUMENT');
  });
});

describe('writeCsv', () => {
  const EDGES = [
    ...[0, -0, 1, -1, 0.1, 1 / 3, 16777216, 3.4028234663852886e38, 1.1754943508222875e-38],
    ...[1e-45, 123456.789, 1e21, 1.5e-7, 8589973000, 2 ** 53],
  ];

  it('writes numbers that read as the same, for float64 and float32', async () => {
    const random = randomIntegers(3);
    const bits = new Uint32Array(4000).map(() => random(2 ** 32));
    const doubles = [...EDGES, ...new Float64Array(bits.buffer)].filter(Number.isFinite);
    const floats = [...EDGES, ...new Float32Array(bits.buffer)].filter(Number.isFinite);
    for (const data of [new Float64Array(doubles), new Float32Array(floats)]) {
      const path = write('round.csv', '');
      await writeCsv(path, { data, rows: data.length, cols: 1 });
      const dtype = data instanceof Float32Array ? 'float32' : 'float64';
      const back = await readCsv(path, { dtype });
      expect(back.data.length).toBe(data.length);
      expect([...back.data].every((x, i) => Object.is(x, data[i]))).toBe(true);
    }
  });

  it('uses the fewest digits', () => {
    for (const text of ['0.1', '-2.5', '3.4028235e+38', '1e-45', '1.1754944e-38', '0.33333334']) {
      expect(shortestFloat32(Math.fround(Number(text)))).toBe(text);
    }
    // Nothing shorter reads as the same: held against every shorter decimal.
    const random = randomIntegers(9);
    const values = new Float32Array(new Uint32Array(500).map(() => random(2 ** 32)).buffer);
    for (const x of values) {
      if (!Number.isFinite(x)) continue;
      const digits = shortestFloat32(x)
        .replace(/e.*|[-.]/g, '')
        .replace(/^0+|0+$/g, '').length;
      expect(Math.fround(Number(shortestFloat32(x)))).toBe(x);
      if (digits > 1) expect(Math.fround(Number(x.toPrecision(digits - 1)))).not.toBe(x);
    }
  });

  it('writes exactly this', async () => {
    const path = write('exact.csv', '');
    const data = [1, 0.5, Number.NaN, -0, Infinity, -Infinity];
    const columns = ['a', 'b,"c"', ' d'];
    await writeCsv(path, { data, rows: 2, cols: 3, columns });
    expect(readFileSync(path, 'utf8')).toBe('a,"b,""c"""," d"\n1,0.5,nan\n-0,inf,-inf\n');
    await writeCsv(
      path,
      { data: [1, 2], rows: 1, cols: 2, columns: ['x;y', 'z'] },
      { delimiter: ';' },
    );
    expect(readFileSync(path, 'utf8')).toBe('"x;y";z\n1;2\n');
    const back = await readTable(path);
    expect(back.columns).toEqual(['x;y', 'z']);
    await writeCsv(path, { data: [], rows: 0, cols: 2 });
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('writes more than one piece', async () => {
    const data = new Float64Array(300_000).map((_, i) => i / 7);
    const path = write('long.csv', '');
    await writeCsv(path, { data, rows: 100_000, cols: 3, columns: ['a', 'b', 'c'] });
    expect((await readCsv(path)).data).toEqual(data);
  });

  it('refuses what does not fit', async () => {
    const path = write('never.csv', 'old');
    for (const [table, options] of [
      [{ data: [1, 2, 3], rows: 2, cols: 2 }, {}],
      [{ data: [1, 2], rows: 1, cols: 2, columns: ['a'] }, {}],
      [{ data: [1, 2], rows: 1, cols: 2 }, { delimiter: '.' }],
      [{ data: [1, 2], rows: 1, cols: 2 }, { delimiter: ', ' }],
    ] as const) {
      await failure(writeCsv(path, table, options), 'ARGUMENT');
    }
    expect(readFileSync(path, 'utf8')).toBe('old');
  });
});

describe('writeNpy', () => {
  it('writes the same bytes as NumPy', async () => {
    const table = [0.1, -2.5, 3e10, -4.0, 5.75, -6e-7];
    const cube = new Uint8Array(24).map((_, i) => i * 10);
    const cases: [string, Parameters<typeof writeNpy>[1]][] = [
      ['f8', { data: new Float64Array(table), shape: [2, 3] }],
      ['f4', { data: new Float32Array(table), shape: [2, 3] }],
      ['i1', { data: new Int8Array([-128, 127, 0, -1]), shape: [2, 2] }],
      ['i4', { data: new Int32Array([-(2 ** 31), 2 ** 31 - 1, 0, -3]), shape: [2, 2] }],
      ['i8-large', { data: new BigInt64Array([1n, 2n, 3n, 2n ** 53n]), shape: [2, 2] }],
      ['u1-cube', { data: cube, shape: [2, 3, 4] }],
      ['u2', { data: new Uint16Array([0, 65535, 1, 2]), shape: [2, 2] }],
      ['vector', { data: new Float64Array([1.5, -2.5, 3.5]), shape: [3] }],
      ['scalar', { data: new Float64Array([-7.25]), shape: [] }],
      ['empty', { data: new Float64Array(0), shape: [0, 3] }],
    ];
    for (const [name, array] of cases) {
      const path = write('ours.npy', '');
      await writeNpy(path, array);
      const theirs = readFileSync(fixture(`${name}.npy`)).toString('latin1');
      expect(readFileSync(path).toString('latin1'), name).toBe(theirs);
    }
  });

  it('writes a table that was read, and a view into a larger array', async () => {
    const path = write('again.npy', '');
    await writeNpy(path, await readTable(fixture('u1-cube.npy')));
    expect(readFileSync(path)).toEqual(readFileSync(fixture('u1-cube.npy')));
    await writeNpy(path, { data: new Float32Array([9, 1, 2, 9]).subarray(1, 3), shape: [2] });
    expect([...(await readNpy(path)).data]).toEqual([1, 2]);
  });

  it('refuses what does not fit', async () => {
    const path = write('never.npy', 'old');
    const data = new Float32Array(4);
    for (const shape of [[3], [2, 3], [-2, -2], [0.5, 8], new Array(65).fill(1)]) {
      await failure(writeNpy(path, { data, shape }), 'ARGUMENT');
    }
    const list = [1, 2] as unknown as Float32Array;
    await failure(writeNpy(path, { data: list, shape: [2] }), 'ARGUMENT');
    expect(readFileSync(path, 'utf8')).toBe('old');
  });
});

describe('loadMnist', () => {
  it('loads the real test images', async () => {
    const mnist = await loadMnist({ split: 'test' });
    expect(mnist.shape).toEqual([10_000, 28, 28]);
    expect([mnist.rows, mnist.cols]).toEqual([10_000, 784]);
    expect(mnist.data).toBeInstanceOf(Uint8Array);
    // The first digits of the test set, and the counts of each digit, as published.
    expect([...mnist.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const counts = new Array(10).fill(0);
    for (const label of mnist.labels) counts[label]++;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  it('loads the real training images, whose mean and deviation are well known', async () => {
    const mnist = await loadMnist({ split: 'train' });
    expect(mnist.shape).toEqual([60_000, 28, 28]);
    expect([...mnist.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let sum = 0;
    let squares = 0;
    for (const x of mnist.data) {
      sum += x;
      squares += x * x;
    }
    const mean = sum / mnist.data.length / 255;
    // 0.1307 and 0.3081 are the constants that every PyTorch example normalises MNIST with.
    expect(mean).toBeCloseTo(0.1307, 4);
    expect(Math.sqrt(squares / mnist.data.length / 255 ** 2 - mean ** 2)).toBeCloseTo(0.3081, 4);
  });

  it('loads from a folder, packed or not, and says what is wrong with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mnist-'));
    try {
      const images = Buffer.concat([
        Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]),
        Buffer.alloc(2 * 784, 5),
      ]);
      const put = (name: string, bytes: Uint8Array) => {
        mkdirSync(folder, { recursive: true });
        copyFileSync(write('part', bytes), join(folder, name));
      };
      const load = () => loadMnist({ split: 'train', folder });
      expect((await failure(load(), 'FILE')).message).toMatch(/train-images-idx3-ubyte/);
      put('train-images-idx3-ubyte.gz', gzipSync(images));
      expect((await failure(load(), 'FILE')).message).toMatch(/train-labels-idx1-ubyte/);
      put('train-labels-idx1-ubyte', Buffer.from([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]));
      expect((await failure(load(), 'FORMAT')).message).toMatch(/2 labels, one an image, got 3/);
      put('train-labels-idx1-ubyte', images);
      expect((await failure(load(), 'FORMAT')).message).toMatch(
        /bytes of 1 axes, got \[2, 28, 28\]/,
      );
      put('train-labels-idx1-ubyte', Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 1, 2]));
      const mnist = await load();
      expect(mnist.shape).toEqual([2, 28, 28]);
      expect([...mnist.labels]).toEqual([1, 2]);
      const split = 'validation' as 'test';
      await failure(loadMnist({ split, folder }), 'ARGUMENT');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    expect(existsSync(dirname(folder))).toBe(true);
  });
});
