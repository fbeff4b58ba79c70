import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, readCsv } from '../../lib/data/readers/csv';
import { failure, temporaryFiles } from './files';

const write = temporaryFiles();

async function read(text: string | Uint8Array, options?: CsvOptions) {
  return await readCsv(write('t.csv', text), options);
}

async function refusal(text: string | Uint8Array, options?: CsvOptions) {
  return (await failure(read(text, options), 'DATA')).message;
}

const NUMBERS = [1.5, -2, 3e-7, 4, 0.1, -6.25];

describe('what is read', () => {
  it('a table with names', async () => {
    const path = write('named.csv', 'a,b,c\n1.5,-2,3e-7\n4,0.1,-6.25\n');
    expect(await readCsv(path)).toEqual({
      data: new Float64Array(NUMBERS),
      rows: 2,
      cols: 3,
      columns: ['a', 'b', 'c'],
      shape: [2, 3],
      source: path,
    });
  });

  it.each([
    ['without names', '1.5,-2,3e-7\n4,0.1,-6.25\n'],
    ['without a last line end', '1.5,-2,3e-7\n4,0.1,-6.25'],
    ['blank lines at the end and between', '1.5,-2,3e-7\n\n4,0.1,-6.25\n  \n\n'],
    ['carriage returns and line feeds', '1.5,-2,3e-7\r\n4,0.1,-6.25\r\n\r\n'],
    ['carriage returns alone', '1.5,-2,3e-7\r4,0.1,-6.25\r'],
    ['both kinds of line ends', '1.5,-2,3e-7\r\n4,0.1,-6.25\n'],
    ['a byte order mark', '\ufeff1.5,-2,3e-7\n4,0.1,-6.25\n'],
    ['tabs', '1.5\t-2\t3e-7\n4\t0.1\t-6.25\n'],
    ['semicolons', '1.5;-2;3e-7\n4;0.1;-6.25\n'],
    ['bars', '1.5|-2|3e-7\n4|0.1|-6.25\n'],
    ['one space', '1.5 -2 3e-7\n4 0.1 -6.25\n'],
    ['columns of spaces', '   1.5  -2    3e-7\n   4    0.1 -6.25  \n'],
    ['spaces around commas', ' 1.5 , -2, 3e-7\n4 ,  0.1 , -6.25 \n'],
    ['quoted cells', '"1.5","-2",3e-7\r\n4,"0.1","-6.25"\r\n'],
    ['quoted cells and spaces', '"1.5" ,"-2",3e-7\n4,"0.1","-6.25" \n'],
    ['signs and capital exponents', '+1.5,-2.,3E-7\n4.0e0,.1,-62.5E-1\n'],
  ])('%s', async (_what, text) => {
    const table = await read(text);
    expect([...table.data]).toEqual(NUMBERS);
    expect(table.shape).toEqual([2, 3]);
    expect(table.columns).toBeUndefined();
  });

  it('UTF-16 with its mark, as spreadsheets save it', async () => {
    const text = Buffer.from('\ufeffgröße\tb\r\n1\t2\r\n3\t4\r\n', 'utf16le');
    const table = await read(text);
    expect(table.columns).toEqual(['größe', 'b']);
    expect([...table.data]).toEqual([1, 2, 3, 4]);
  });

  it('gzip', async () => {
    const table = await read(gzipSync('a,b\n1,2\n3,4\n'));
    expect([...table.data]).toEqual([1, 2, 3, 4]);
    expect(table.columns).toEqual(['a', 'b']);
  });

  it('a single column, also with a name of several words', async () => {
    expect((await read('1\n2\n3\n')).shape).toEqual([3, 1]);
    const named = await read('length of it\n1\n2\n');
    expect(named.columns).toEqual(['length of it']);
    expect(named.shape).toEqual([2, 1]);
    expect((await read('7')).data).toEqual(new Float64Array([7]));
  });

  it('names with delimiters, quotes, line ends and characters beyond ASCII', async () => {
    const table = await read('"a,b","say ""hi""","two\nlines",größe 🙂\n1,2,3,4\n');
    expect(table.columns).toEqual(['a,b', 'say "hi"', 'two\nlines', 'größe 🙂']);
    expect([...table.data]).toEqual([1, 2, 3, 4]);
  });

  it('element types', async () => {
    expect((await read('0.1,7', { dtype: 'float32' })).data).toEqual(new Float32Array([0.1, 7]));
    expect((await read('0,255', { dtype: 'uint8' })).data).toEqual(new Uint8Array([0, 255]));
    expect((await read('0.1,7')).data).toEqual(new Float64Array([0.1, 7]));
    expect(Object.is((await read('1,-0')).data[1], -0)).toBe(true);
  });

  it('comments and a delimiter of the user’s', async () => {
    const text = '# made by hand\nx:y\n1:2\n#3:4\n 5 :6\n';
    const table = await read(text, { comment: '#', delimiter: ':' });
    expect(table.columns).toEqual(['x', 'y']);
    expect([...table.data]).toEqual([1, 2, 5, 6]);
  });

  it('more than one chunk, with cells cut at every place', async () => {
    // About 2.6 MB: chunks of 1 MiB end inside numbers, quotes and characters of several bytes.
    const rows = Array.from({ length: 60_000 }, (_, i) => [i, -i / 7, `"é, 🙂 ""${i}""\r\n"`]);
    const text = `a,b,text\r\n${rows.map((row) => row.join(',')).join('\r\n')}\r\n`;
    const table = await read(text, { columns: ['b', 'a'] });
    expect(table.shape).toEqual([60_000, 2]);
    const wrong = rows.findIndex(
      ([a, b], i) => table.data[2 * i] !== b || table.data[2 * i + 1] !== a,
    );
    expect(wrong).toBe(-1);
  });

  it('a first row that is no measure of the others', async () => {
    const long = Array.from({ length: 5000 }, (_, i) => `${i}.${'0'.repeat(30)}`);
    const table = await read(`1\n${long.join('\n')}`);
    expect(table.rows).toBe(5001);
    const short = `${'0'.repeat(400)}1\n`.repeat(80) + '2\n'.repeat(40_000);
    const table2 = await read(short);
    expect(table2.rows).toBe(40_080);
    expect(table2.data[40_079]).toBe(2);
    expect(table2.data.byteLength).toBe(table2.data.buffer.byteLength);
  });
});

describe('the header', () => {
  it.each([
    ['names', 'a,b\n1,2\n', ['a', 'b']],
    ['an index without a name', ',b\n1,2\n', ['', 'b']],
    ['counted columns and a label', '0,1,label\n0.5,0.7,3\n', ['0', '1', 'label']],
    ['columns counted from one', 'label,1,2\n0.5,0.7,3\n', ['label', '1', '2']],
    ['numbers', '1,2\n3,4\n', undefined],
    ['missing values', 'NaN,2\n3,4\n', undefined],
  ])('is found out: %s', async (_what, text, columns) => {
    const table = await read(text, { missing: 'keep' });
    expect(table.columns).toEqual(columns);
    expect(table.rows).toBe(columns === undefined ? 2 : 1);
  });

  it('is not invented over a damaged first row', async () => {
    const message = await refusal('1,abc,3\n4,5,6\n');
    expect(message).toMatch(/line 1, column 1 \(counted from 0\): expected a number, got "abc"/);
    expect(message).toMatch(/set header: true/);
  });

  it('is what the user says', async () => {
    const numbers = await read('1,2\n3,4\n', { header: true });
    expect(numbers.columns).toEqual(['1', '2']);
    expect([...numbers.data]).toEqual([3, 4]);
    expect(await refusal('a,b\n1,2\n', { header: false })).toMatch(/line 1, column 0 .*got "a"/);
  });
});

describe('selected columns', () => {
  const text = 'id,x,y,name\n7,0.5,-1,first\n8,1.5,-2,second\n';

  it.each<[string, CsvOptions, string[], number[]]>([
    ['by name, in the order asked for', { columns: ['y', 'x'] }, ['y', 'x'], [-1, 0.5, -2, 1.5]],
    ['by index', { columns: [2, 0] }, ['y', 'id'], [-1, 7, -2, 8]],
    ['twice', { columns: ['x', 1] }, ['x', 'x'], [0.5, 0.5, 1.5, 1.5]],
    ['all but some', { exclude: ['name', 0] }, ['x', 'y'], [0.5, -1, 1.5, -2]],
    ['both', { columns: [0, 1, 2], exclude: ['x'] }, ['id', 'y'], [7, -1, 8, -2]],
  ])('%s', async (_what, options, columns, data) => {
    const table = await read(text, options);
    expect(table.columns).toEqual(columns);
    expect([...table.data]).toEqual(data);
  });

  it('that are not there', async () => {
    for (const options of [
      { columns: ['z'] },
      { columns: [4] },
      { columns: [-1] },
      { columns: [0.5] },
      { columns: [] },
      { exclude: ['z'] },
      { exclude: [0, 1, 2, 3] },
    ]) {
      const error = await failure(read(text, options), 'ARGUMENT');
      expect(error.message).toMatch(/t\.csv/);
    }
    const error = await failure(read(text, { columns: ['z'] }), 'ARGUMENT');
    expect(error.message).toMatch(/an index from 0 to 3, or one of "id", "x", "y", "name", got z/);
    const noNames = await failure(read('1,2\n', { columns: ['a'] }), 'ARGUMENT');
    expect(noNames.message).toMatch(/there are no names/);
  });

  it('of a name that is there twice', async () => {
    const twice = 'a,b,a\n1,2,3\n';
    expect((await failure(read(twice, { columns: ['a'] }), 'ARGUMENT')).message).toMatch(/two of/);
    expect([...(await read(twice, { columns: [2] })).data]).toEqual([3]);
  });
});

describe('bad data', () => {
  it('names file, line and column of a cell that is no number', async () => {
    const path = write('bad.csv', 'x,y\n1,2\n\n3,oops\n');
    const error = await failure(readCsv(path), 'DATA');
    expect(error.message).toBe(
      `[readCsv] ${path}: line 4, column "y" (index 1): expected a number, got "oops": ` +
        'correct the cell, or leave the column out: exclude: ["y"]',
    );
  });

  it.each([
    'abc',
    '1.2.3',
    '1,5',
    '0x10',
    '0b1',
    ' 0x1F',
    '1_000',
    '1e',
    '--1',
    '1 2',
    '$5',
    '1e999',
  ])('a cell %j', async (cell) => {
    expect(await refusal(`1;2\n3;${cell}\n`, { delimiter: ';' })).toMatch(
      /line 2, column 1 \(counted from 0\): expected a number, got/,
    );
  });

  it.each([
    '',
    '  ',
    'NaN',
    'nan',
    'NA',
    'N/A',
    'null',
    'None',
    '?',
    '-',
    'inf',
    '-Infinity',
    '+inf',
  ])('a missing value %j', async (cell) => {
    const text = `x,y\n1,2\n3,${cell}\n5,6\n`;
    expect(await refusal(text)).toMatch(
      /line 3, column "y" \(index 1\): expected a finite number, got .*missing: 'drop' or 'keep'/,
    );
    const dropped = await read(text, { missing: 'drop' });
    expect([...dropped.data]).toEqual([1, 2, 5, 6]);
    expect(dropped.droppedRows).toBe(1);
    const kept = await read(text, { missing: 'keep' });
    expect(kept.rows).toBe(3);
    expect(Number.isFinite(kept.data[3])).toBe(false);
    expect(kept.data[3]! < 0).toBe(cell === '-Infinity');
  });

  it('a row that is dropped may not hold nonsense', async () => {
    expect(await refusal('1,2,3\n,oops,3\n', { missing: 'drop' })).toMatch(/line 2.*"oops"/);
  });

  it('rows that are too short or too long, with the column', async () => {
    expect(await refusal('x,y,z\n1,2,3\n4,5\n')).toMatch(
      /line 3: expected 3 cells, as in the first line, got 2 cells: column "z" \(index 2\) is missing/,
    );
    expect(await refusal('1,2\n3,4\n5,6,7\n')).toMatch(
      /line 3: expected 2 cells, .*got 3 cells: column 2 \(counted from 0\) is one too many/,
    );
    expect(await refusal('a b\n1 2\n3\n')).toMatch(/line 3: expected 2 cells/);
    // A header of one cell over rows of two: the delimiter is found out from all of them.
    expect(await refusal('title\n1,2\n3,4\n')).toMatch(/line 2: expected 1 cell, .*got 2 cells/);
  });

  it('counts lines, not records: quoted cells of several lines, blank lines, comments', async () => {
    const text = '"na\nme",x\n#\n"two\r\nlines",1\n\n"t",2\n"t",bad\n';
    expect(await refusal(text, { exclude: [0], comment: '#' })).toMatch(
      /line 8, column "x".*"bad"/,
    );
  });

  it('counts lines past the first chunk', async () => {
    const good = '"a\nb",1\n'.repeat(150_000);
    expect(good.length).toBeGreaterThan(2 ** 20);
    const message = await refusal(`${good}"a",oops\n`, { columns: [1] });
    expect(message).toMatch(/line 300001, column 1 .*"oops"/);
  });

  it('a quote that never closes, in a small file and in a large one', async () => {
    expect(await refusal('a,b\n1,2\n"3,4\n5,6\n')).toMatch(/line 3: expected quotes in pairs/);
    const large = `a,b\n1,2\n"3,4\n${'5,6\n'.repeat(6_000_000)}`;
    const start = performance.now();
    expect(await refusal(large)).toMatch(/line 3: expected quotes in pairs/);
    // 24 MB: without its limit the search would start over with every megabyte.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('a quote in the middle of a quoted cell', async () => {
    expect(await refusal('a,b\n1,2\n"3"4,5\n')).toMatch(/line 3: expected quotes in pairs/);
  });

  it('nothing', async () => {
    for (const text of ['', '\n\n', '  \n', '\ufeff', 'a,b\n', 'a,b\n\n\n']) {
      expect(await refusal(text), JSON.stringify(text)).toMatch(/expected rows of numbers/);
    }
    expect(await refusal('1,\n2,\n', { missing: 'drop' })).toMatch(/all 2 had missing values/);
  });

  it('values that the element type cannot hold', async () => {
    expect(await refusal('1,1e39\n', { dtype: 'float32' })).toMatch(/float32 can hold, got "1e39"/);
    for (const cell of ['256', '-1', '0.5']) {
      expect(await refusal(`1,${cell}\n`, { dtype: 'uint8' })).toMatch(/line 1.*uint8 can hold/);
    }
  });

  it('what is not text', async () => {
    const zeros = failure(read(Buffer.from([0x31, 0, 0x32])), 'FORMAT');
    expect((await zeros).message).toMatch(/expected text/);
    const big = failure(read(Buffer.from([0xfe, 0xff, 0, 0x31])), 'FORMAT');
    expect((await big).message).toMatch(/big-endian UTF-16/);
    const cut = gzipSync('a,b\n1,2\n3,4\n'.repeat(1000)).subarray(0, 40);
    expect((await failure(read(cut), 'FORMAT')).message).toMatch(/a whole gzip stream/);
  });

  it('a missing file and a folder', async () => {
    expect((await failure(readCsv('/no/such.csv'), 'FILE')).message).toMatch(/no such file/);
    expect((await failure(readCsv(__dirname), 'FILE')).message).toMatch(/a folder/);
  });

  it('a delimiter that cannot be', async () => {
    for (const delimiter of ['', '::', '"', '\n']) {
      await failure(read('1,2\n', { delimiter }), 'ARGUMENT');
    }
  });
});
