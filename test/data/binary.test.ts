import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readIdx } from '../../lib/data/readers/idx';
import { readNpy } from '../../lib/data/readers/npy';
import type { ReadOptions } from '../../lib/data/table';
import { FlowError } from '../../lib/errors';
import { randomIntegers } from '../io/safetensorsFile';
import { FIXTURES, failure, temporaryFiles } from './files';

const write = temporaryFiles();
const fixture = (name: string) => join(FIXTURES, `${name}.npy`);

const TABLE = [0.1, -2.5, 3e10, -4.0, 5.75, -6e-7];
const CUBE = Array.from({ length: 24 }, (_, i) => i - 12);
const ROUNDED = [...new Float32Array(TABLE)];

/** An NPY file made by hand. */
function npy(header: string, data: Uint8Array, version = 1): Buffer {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  return Buffer.concat([magic, length, Buffer.from(header, 'latin1'), data]);
}

/** An IDX file made by hand. */
function idx(type: number, sizes: number[], data: Uint8Array, axes = sizes.length): Buffer {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head[2] = type;
  head[3] = axes;
  for (const [i, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([head, data]);
}

describe('NPY files of NumPy', () => {
  it.each<
    [
      string,
      number[],
      Float64ArrayConstructor | Float32ArrayConstructor | Uint8ArrayConstructor,
      number[],
    ]
  >([
    ['f8', [2, 3], Float64Array, TABLE],
    ['f4', [2, 3], Float32Array, ROUNDED],
    ['f8-big', [2, 3], Float64Array, TABLE],
    ['f4-big', [2, 3], Float32Array, ROUNDED],
    ['f8-fortran', [2, 3], Float64Array, TABLE],
    ['v2', [2, 3], Float64Array, TABLE],
    ['v3', [2, 3], Float64Array, TABLE],
    ['i4-fortran-cube', [2, 3, 4], Float64Array, CUBE],
    ['i1', [2, 2], Float32Array, [-128, 127, 0, -1]],
    ['i2-big', [2, 2], Float32Array, [-32768, 32767, 0, -2]],
    ['i4', [2, 2], Float64Array, [-(2 ** 31), 2 ** 31 - 1, 0, -3]],
    ['i8', [2, 2], Float64Array, [-(2 ** 53) + 1, 2 ** 53 - 1, 0, -4]],
    ['u1-cube', [2, 3, 4], Uint8Array, CUBE.map((i) => (i + 12) * 10)],
    ['u2', [2, 2], Float32Array, [0, 65535, 1, 2]],
    ['u4-big', [2, 2], Float64Array, [0, 2 ** 32 - 1, 1, 2]],
    ['u8', [2, 2], Float64Array, [0, 2 ** 53 - 1, 1, 2]],
    ['bool', [2, 2], Uint8Array, [1, 0, 0, 1]],
    ['vector', [3], Float64Array, [1.5, -2.5, 3.5]],
    ['scalar', [], Float64Array, [-7.25]],
  ])('%s', async (name, shape, type, data) => {
    const table = await readNpy(fixture(name));
    expect(table.data).toEqual(new type(data));
    expect(table.shape).toEqual(shape);
    expect(table.rows).toBe(shape[0] ?? 1);
    expect(table.rows * table.cols).toBe(data.length);
    expect(table.source).toBe(fixture(name));
  });

  it('packed by gzip', async () => {
    const path = write('t.npy.gz', gzipSync(readFileSync(fixture('f8'))));
    expect([...(await readNpy(path)).data]).toEqual(TABLE);
  });

  it('with options', async () => {
    const read = async (name: string, options: ReadOptions) =>
      await readNpy(fixture(name), options);
    const picked = await read('f8', { columns: [2, 0] });
    expect([...picked.data]).toEqual([3e10, 0.1, -6e-7, -4]);
    expect(picked.shape).toEqual([2, 2]);
    expect([
      ...(await read('u1-cube', { exclude: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] })).data,
    ]).toEqual([110, 230]);
    expect((await read('f8', { dtype: 'float32' })).data).toEqual(new Float32Array(TABLE));
    expect((await read('bool', { dtype: 'float64' })).data).toEqual(new Float64Array([1, 0, 0, 1]));
    expect(
      (await read('i1', { dtype: 'uint8', columns: [1], missing: 'keep' }).catch((e) => e)).code,
    ).toBe('DATA');
    const dropped = await read('nan', { missing: 'drop' });
    expect([...dropped.data]).toEqual([1, 2, 7, 8]);
    expect(dropped.shape).toEqual([2, 2]);
    expect(dropped.droppedRows).toBe(2);
    expect([...(await read('nan', { missing: 'keep' })).data]).toEqual([
      1,
      2,
      3,
      Number.NaN,
      5,
      -Infinity,
      7,
      8,
    ]);
    // A column that is left out may hold anything.
    expect([...(await read('nan', { columns: [0] })).data]).toEqual([1, 3, 5, 7]);
  });

  it('that hold what cannot be used', async () => {
    const nan = await failure(readNpy(fixture('nan')), 'DATA');
    expect(nan.message).toBe(
      `[readNpy] ${fixture('nan')}: row 1 (counted from 0), column 1 (counted from 0): ` +
        `expected a finite number, got NaN: correct it, or read with missing: 'drop' or 'keep'`,
    );
    const large = await failure(readNpy(fixture('i8-large')), 'DATA');
    expect(large.message).toMatch(/row 1, column 1 \(counted from 0\).*9007199254740992/);
    const empty = await failure(readNpy(fixture('empty')), 'DATA');
    expect(empty.message).toMatch(/rows of numbers, got none/);
    for (const [name, type] of [
      ['f2', '"<f2"'],
      ['c8', '"<c8"'],
      ['text', '"<U2"'],
      ['fields', "[('a', '<i4'), ('shape', '<f8', (2,))]"],
    ] as const) {
      const error = await failure(readNpy(fixture(name)), 'UNSUPPORTED');
      expect(error.message, name).toContain(type);
    }
    const names = failure(readNpy(fixture('f8'), { columns: ['a'] }), 'ARGUMENT');
    expect((await names).message).toMatch(/there are no names/);
    const wide = write(
      'wide.npy',
      npy(
        "{'descr':'<f8','fortran_order':False,'shape':(1,)}",
        new Uint8Array(new Float64Array([1e39]).buffer),
      ),
    );
    await failure(readNpy(wide, { dtype: 'float32' }), 'DATA');
  });
});

describe('NPY headers', () => {
  const four = new Uint8Array(new Float32Array([1, -2, 3, -4]).buffer);
  const plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";

  it.each([
    ['as NumPy writes it', plain],
    ['keys in another order, double quotes', '{"shape":(2,2),"descr":"<f4","fortran_order":False}'],
    ['padded, with its line end', `${plain}${' '.repeat(50)}\n`],
    ['long integers of Python 2', plain.replace('(2, 2)', '(2L, 2L)')],
    ['a comma after the last size', plain.replace('(2, 2)', '( 2 , 2 , )')],
  ])('read: %s', async (_what, header) => {
    const table = await readNpy(write('h.npy', npy(header, four)));
    expect(table.shape).toEqual([2, 2]);
    expect([...table.data]).toEqual([1, -2, 3, -4]);
  });

  it.each<[string, Buffer]>([
    ['an empty file', Buffer.alloc(0)],
    ['another magic', Buffer.from('\x93NUMPZ\x01\x00\x02\x00{}', 'latin1')],
    ['only the magic', npy('', four).subarray(0, 8)],
    ['version 0', npy(plain, four, 0)],
    ['version 4', npy(plain, four, 4)],
    ['a header longer than the file', npy(plain, four).subarray(0, 30)],
    ['a header of 4 GiB', Buffer.concat([npy('', four, 2).subarray(0, 8), Buffer.alloc(40, 255)])],
    ['no dictionary', npy('[1, 2]', four)],
    ['code', npy("__import__('os').system('true')", four)],
    ['a dictionary that does not end', npy(plain.slice(0, -1), four)],
    ['text after it', npy(`${plain} + 1`, four)],
    ['a key that is missing', npy("{'descr': '<f4', 'shape': (2, 2)}", four)],
    ['a key twice', npy(plain.replace('}', "'shape': (4,)}"), four)],
    ['a key that is unknown', npy(plain.replace('}', "'align': 1}"), four)],
    ['a number as order', npy(plain.replace('False', '0'), four)],
    ['a list as shape', npy(plain.replace('(2, 2)', '[2, 2]'), four)],
    ['a number as shape', npy(plain.replace('(2, 2)', '(4)'), four)],
    ['a negative size', npy(plain.replace('(2, 2)', '(-2, -2)'), four)],
    ['a fraction', npy(plain.replace('(2, 2)', '(2.0, 2)'), four)],
    ['a size past 2^53', npy(plain.replace('2,', '9007199254740993,'), four)],
    ['a product past 2^53', npy(plain.replace('2, 2', '4294967296, 4294967296'), four)],
    [
      'a product past 2^64 that comes back to 4',
      npy(plain.replace('2, 2', `${2 ** 33}, ${2 ** 33}, 4`), four),
    ],
    [
      'sizes that are free beside a zero',
      npy(plain.replace('2, 2', `0, ${2 ** 50}, ${2 ** 50}`), four.subarray(0, 0)),
    ],
    ['data cut off', npy(plain, four.subarray(0, 15))],
    ['data of a terabyte', npy(plain.replace('2, 2', '500000, 500000'), four)],
    ['data too long', npy(plain, Buffer.concat([four, four.subarray(0, 1)]))],
    ['data too long, packed', gzipSync(npy(plain, Buffer.concat([four, four.subarray(0, 1)])))],
    ['data cut off, packed', gzipSync(npy(plain, four.subarray(0, 15)))],
    ['data of a terabyte, packed', gzipSync(npy(plain.replace('2, 2', '500000, 500000'), four))],
    ['a gzip stream cut off', gzipSync(npy(plain, four)).subarray(0, 60)],
    [
      'a gzip stream with a wrong checksum',
      Buffer.from(gzipSync(npy(plain, four)).map((b, i, a) => (i === a.length - 6 ? b ^ 1 : b))),
    ],
  ])('refused: %s', async (_what, bytes) => {
    const error = await failure(readNpy(write('bad.npy', bytes)), 'FORMAT');
    expect(error.message).toMatch(/bad\.npy/);
  });
});

describe('IDX files', () => {
  const numbers = (
    size: number,
    set: (view: DataView, at: number, x: number) => void,
    xs: number[],
  ) => {
    const view = new DataView(new ArrayBuffer(size * xs.length));
    for (const [i, x] of xs.entries()) set(view, size * i, x);
    return new Uint8Array(view.buffer);
  };
  const cases: [string, number, Uint8Array, object, number[]][] = [
    ['uint8', 8, new Uint8Array([0, 255, 7, 128]), Uint8Array, [0, 255, 7, 128]],
    ['int8', 9, new Uint8Array([0, 255, 127, 128]), Float32Array, [0, -1, 127, -128]],
    [
      'int16',
      11,
      numbers(2, (v, i, x) => v.setInt16(i, x), [-2, 258, 0, -32768]),
      Float32Array,
      [-2, 258, 0, -32768],
    ],
    [
      'int32',
      12,
      numbers(4, (v, i, x) => v.setInt32(i, x), [-2, 65539, 0, -(2 ** 31)]),
      Float64Array,
      [-2, 65539, 0, -(2 ** 31)],
    ],
    [
      'float32',
      13,
      numbers(4, (v, i, x) => v.setFloat32(i, x), [1.5, -0.25, 3e10, -0]),
      Float32Array,
      [1.5, -0.25, Math.fround(3e10), -0],
    ],
    [
      'float64',
      14,
      numbers(8, (v, i, x) => v.setFloat64(i, x), [0.1, -1e300, 2, -0]),
      Float64Array,
      [0.1, -1e300, 2, -0],
    ],
  ];

  it.each(cases)('of %s, plain and packed', async (_name, type, data, array, values) => {
    const bytes = idx(type, [2, 1, 2], data);
    for (const content of [bytes, gzipSync(bytes)]) {
      const table = await readIdx(write('t-idx3-ubyte', content));
      expect(table.shape).toEqual([2, 1, 2]);
      expect([table.rows, table.cols]).toEqual([2, 2]);
      expect(table.data.constructor).toBe(array);
      expect([...table.data]).toEqual(values);
    }
  });

  it('of one axis', async () => {
    const table = await readIdx(write('labels', idx(8, [3], new Uint8Array([3, 1, 2]))));
    expect(table).toMatchObject({ rows: 3, cols: 1, shape: [3] });
  });

  const four = new Uint8Array(4);
  it.each<[string, Buffer]>([
    ['an empty file', Buffer.alloc(0)],
    ['two bytes', Buffer.from([0, 0])],
    [
      'a first byte that is not zero',
      Buffer.concat([Buffer.from([1]), idx(8, [4], four).subarray(1)]),
    ],
    ['an unknown type', idx(10, [4], four)],
    ['no axes', idx(8, [], four)],
    ['more axes than sizes', idx(8, [2, 2], new Uint8Array(0), 200)],
    ['a size that lies', idx(8, [5], four)],
    ['sizes of 4 GiB each', idx(14, [0xffffffff, 0xffffffff, 0xffffffff], four)],
    ['data too long', idx(8, [3], four)],
    ['data cut off', idx(13, [2], four)],
    ['a size that lies, packed', gzipSync(idx(8, [5], four))],
    ['sizes of 4 GiB, packed', gzipSync(idx(8, [0xffffffff], four))],
    ['data too long, packed', gzipSync(idx(8, [3], four))],
  ])('refused: %s', async (_what, bytes) => {
    const error = await failure(readIdx(write('bad-ubyte', bytes)), 'FORMAT');
    expect(error.message).toMatch(/bad-ubyte/);
  });

  it('no rows', async () => {
    await failure(readIdx(write('none', idx(8, [0, 28, 28], new Uint8Array(0)))), 'DATA');
  });
});

describe('damaged files', () => {
  it.each([
    ['NPY', 'f8.npy', readNpy, readFileSync(fixture('f8'))],
    ['IDX', 'x-ubyte', readIdx, idx(13, [2, 3], new Uint8Array(new Float32Array(TABLE).buffer))],
  ] as const)('1000 mutations of %s load or give a FlowError', async (_name, file, read, valid) => {
    const random = randomIntegers(11);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) {
      let bytes = Buffer.from(valid);
      const at = random(2) ? random(valid.length) : random(Math.min(128, valid.length));
      if (i % 3 === 0) bytes[at]! ^= 1 << random(8);
      else if (i % 3 === 1) bytes = bytes.subarray(0, at);
      else
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([random(256)]),
          bytes.subarray(at),
        ]);
      const result = await read(write(file, bytes)).catch((error: unknown) => error);
      if (result instanceof Error) expect(result, `mutation ${i}`).toBeInstanceOf(FlowError);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64e6);
  });
});
