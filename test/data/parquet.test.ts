import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readParquet } from '../../lib/data/readers/parquet';
import { FlowError } from '../../lib/errors';
import { randomIntegers } from '../io/safetensorsFile';
import { FIXTURES, failure, temporaryFiles } from './files';

const write = temporaryFiles();
const fixture = (name: string) => join(FIXTURES, `${name}.parquet`);
const NUMERIC = ['f32', 'f64', 'i8', 'u16', 'i32', 'u32', 'i64', 'flag', 'half', 'price'];

describe('Parquet files of Arrow', () => {
  it.each(['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4'])('packed by %s', async (codec) => {
    // Three row groups: 20, 20 and 10 rows.
    const table = await readParquet(fixture(codec), { columns: NUMERIC });
    expect(table.columns).toEqual(NUMERIC);
    expect(table.shape).toEqual([50, 10]);
    expect(table.data).toBeInstanceOf(Float64Array);
    for (let i = 0; i < 50; i++) {
      expect([...table.data.subarray(10 * i, 10 * (i + 1))]).toEqual([
        ...[i * 0.5 - 3, expect.closeTo(Math.sin(i), 15), i - 20, i * 1000, 0 - i * 100000],
        ...[2 ** 32 - 1 - i, i * 2 ** 40 - 7, i % 3 === 0 ? 1 : 0, i, i],
      ]);
    }
  });

  it('of float32 columns alone, with pages of version 2', async () => {
    const table = await readParquet(fixture('float'));
    expect(table.data).toBeInstanceOf(Float32Array);
    expect(table.columns).toEqual(['x', 'y']);
    expect([...table.data.subarray(0, 6)]).toEqual([-3, 0, -2.5, -1, -2, -2]);
    expect((await readParquet(fixture('float'), { dtype: 'float64' })).data).toBeInstanceOf(
      Float64Array,
    );
  });

  it('columns by index and all but some', async () => {
    const some = await readParquet(fixture('none'), { columns: [2, 'f32'], exclude: ['i64'] });
    expect(some.columns).toEqual(['i8', 'f32']);
    expect([...some.data.subarray(0, 4)]).toEqual([-20, -3, -19, -2.5]);
    const exclude = ['name', 'holes', 'day', 'when'];
    expect((await readParquet(fixture('none'), { exclude })).columns).toEqual(NUMERIC);
    const error = await failure(readParquet(fixture('none'), { columns: ['z'] }), 'ARGUMENT');
    expect(error.message).toMatch(/one of "f32", "f64", .* got z/);
  });
});

describe('what is refused', () => {
  it('a null, with its row and column', async () => {
    const error = await failure(
      readParquet(fixture('none'), { columns: ['f32', 'holes'] }),
      'DATA',
    );
    expect(error.message).toBe(
      `[readParquet] ${fixture('none')}: row 17 (counted from 0), column "holes" (index 1): ` +
        `expected a finite number, got NaN: correct it, or read with missing: 'drop' or 'keep'`,
    );
    const dropped = await readParquet(fixture('none'), { columns: ['holes'], missing: 'drop' });
    expect([dropped.rows, dropped.droppedRows, dropped.data[17]]).toEqual([49, 1, 18]);
    const kept = await readParquet(fixture('none'), { columns: ['holes'], missing: 'keep' });
    expect([kept.rows, kept.data[16], kept.data[17]]).toEqual([50, 16, Number.NaN]);
  });

  it('NaN and infinities', async () => {
    const error = await failure(readParquet(fixture('nan')), 'DATA');
    expect(error.message).toMatch(/row 1 \(counted from 0\), column "b" \(index 1\).*got NaN/);
    const infinite = await failure(readParquet(fixture('nan'), { columns: ['a'] }), 'DATA');
    expect(infinite.message).toMatch(/row 2 .*column "a" .*got Infinity/);
  });

  it.each([
    ['name', /STRING|UTF8/],
    ['day', /DATE/],
    ['when', /TIMESTAMP/],
  ])('a column that is no number: %s', async (name, type) => {
    const error = await failure(readParquet(fixture('none'), { columns: ['f32', name] }), 'DATA');
    expect(error.message).toContain(`column "${name}" (index `);
    expect(error.message).toMatch(type);
    expect(error.message).toContain(`exclude: ["${name}"]`);
  });

  it('nested columns', async () => {
    const error = await failure(readParquet(fixture('nested')), 'FORMAT');
    expect(error.message).toMatch(/a flat table, got the nested column "list"/);
  });

  it('files that are no Parquet, cut off or missing', async () => {
    const valid = readFileSync(fixture('snappy'));
    for (const bytes of [Buffer.alloc(0), Buffer.from('PAR1'), valid.subarray(0, 5000)]) {
      await failure(readParquet(write('bad.parquet', bytes)), 'FORMAT');
    }
    const footer = Buffer.from(valid);
    footer.writeUInt32LE(0xffffffff, footer.length - 8);
    await failure(readParquet(write('bad.parquet', footer)), 'FORMAT');
    await failure(readParquet(join(FIXTURES, 'missing.parquet')), 'FILE');
  });

  it('a damaged page that sends the decoder into a loop without end', async () => {
    // In the header of the first data page, the length of its definition levels becomes another
    // field: found by mutation, with hyparquet 1.31.5.
    const bytes = readFileSync(fixture('float'));
    bytes[273]! ^= 16;
    const work = readParquet(write('loop.parquet', bytes), { patience: 1000 });
    expect((await failure(work, 'FORMAT')).message).toMatch(/got a loop without end/);
  });

  it('40 mutations load or give a FlowError', async () => {
    const valid = readFileSync(fixture('float'));
    const random = randomIntegers(5);
    const read = async (i: number) => {
      const bytes = Buffer.from(valid);
      bytes[random(bytes.length)]! ^= 1 << random(8);
      const cut = i % 4 === 0 ? bytes.subarray(random(1000)) : bytes;
      const path = write(`mutated${i}.parquet`, cut);
      return await readParquet(path, { patience: 3000 }).catch((error: unknown) => error);
    };
    for (let i = 0; i < 40; i += 4) {
      for (const result of await Promise.all([i, i + 1, i + 2, i + 3].map(read))) {
        if (result instanceof Error) expect(result, `mutation ${i}`).toBeInstanceOf(FlowError);
      }
    }
  });
});
