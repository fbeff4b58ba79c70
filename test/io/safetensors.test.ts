import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  parseSafetensors,
  readSafetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from '../../lib/io/safetensors';
import { rawFile } from './safetensorsFile';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function readBytes(bytes: Uint8Array) {
  const path = join(folder, 'raw.safetensors');
  writeFileSync(path, bytes);
  return await readSafetensors(path);
}

function hex(data: ArrayBufferView): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
}

/** Every type, a scalar, an empty one, a view into a larger array, names that need escapes. */
function sample(): Map<string, SafetensorsTensor> {
  const large = new Float32Array([9, 1.5, Number.NaN, -0, 3.4028235e38, -1e-45, 2, 9]);
  return new Map<string, SafetensorsTensor>([
    ['mask', { dtype: 'U8', shape: [3], data: new Uint8Array([0, 255, 7]) }],
    ['a "b"\n\\é🙂', { dtype: 'F32', shape: [2, 3], data: large.subarray(1, 7) }],
    ['steps', { dtype: 'I64', shape: [], data: new BigInt64Array([-(2n ** 63n)]) }],
    ['nothing', { dtype: 'F64', shape: [4, 0, 2], data: new Float64Array(0) }],
    ['order', { dtype: 'I32', shape: [1, 2], data: new Int32Array([-5, 2147483647]) }],
    ['x', { dtype: 'F64', shape: [2], data: new Float64Array([0.1, -Infinity]) }],
    ['__proto__', { dtype: 'U8', shape: [1], data: new Uint8Array([1]) }],
  ]);
}

describe('the format', () => {
  it('reads a file of the reference implementation', async () => {
    const path = join(__dirname, 'fixtures', 'python.safetensors');
    const { tensors, metadata } = await readSafetensors(path);
    expect(metadata).toEqual({ format: 'np', note: 'line\nbreak, "quotes", é, 🙂' });
    const found = [...tensors].map(([name, t]) => [name, t.dtype, t.shape, hex(t.data)]).sort();
    const f32 = new Float32Array([1.5, -2.25, 3e-30, Number.NaN, Infinity, -0]);
    expect(found).toEqual(
      [
        ['flow.0.weight', 'F32', [2, 3], hex(f32)],
        ['flow.0.bias', 'F64', [2], hex(new Float64Array([0.1, -1e300]))],
        ['steps', 'I64', [], hex(new BigInt64Array([7n]))],
        ['order', 'I32', [2, 2], hex(new Int32Array([2, 0, -1, 2147483647]))],
        ['mask', 'U8', [3], '00ff07'],
        ['empty', 'F32', [0, 3], ''],
        ['größe "q"', 'F64', [1, 1, 1], hex(new Float64Array([-4]))],
      ].sort(),
    );
  });

  it('writes bytes as the specification says', async () => {
    const path = join(folder, 'exact.safetensors');
    const tensors = new Map<string, SafetensorsTensor>([
      ['u', { dtype: 'U8', shape: [1], data: new Uint8Array([9]) }],
      ['f', { dtype: 'F32', shape: [1, 2], data: new Float32Array([1, -2]) }],
    ]);
    await writeSafetensors(path, tensors, { k: 'v' });
    const json =
      '{"__metadata__":{"k":"v"},"u":{"dtype":"U8","shape":[1],"data_offsets":[8,9]},' +
      '"f":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}';
    const header = json.padEnd(Math.ceil(json.length / 8) * 8, ' ');
    expect(header.length).not.toBe(json.length);
    const data = Buffer.from([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 9]);
    expect(readFileSync(path).toString('latin1')).toBe(rawFile(header, data).toString('latin1'));
  });

  it('gives back what was written, bit for bit and in order', async () => {
    const path = join(folder, 'round.safetensors');
    const metadata = { architecture: '{"layers":[1,2]}', leer: '', 'k"ey\u0000': '🙂\\' };
    for (const integrity of [false, true]) {
      await writeSafetensors(path, sample(), metadata, { integrity });
      const back = await readSafetensors(path);
      expect([...back.tensors.keys()]).toEqual([...sample().keys()]);
      for (const [name, tensor] of sample()) {
        const found = back.tensors.get(name)!;
        expect(found.dtype).toBe(tensor.dtype);
        expect(found.shape).toEqual(tensor.shape);
        expect(found.data.constructor).toBe(tensor.data.constructor);
        expect(hex(found.data), name).toBe(hex(tensor.data));
      }
      expect(back.metadata).toMatchObject(metadata);
      expect(Object.keys(back.metadata)).toHaveLength(integrity ? 4 : 3);
    }
  });

  it('aligns each tensor to its element, from a header of a multiple of 8 bytes', async () => {
    const path = join(folder, 'aligned.safetensors');
    await writeSafetensors(path, sample());
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
    const sizes: Record<string, number> = { F32: 4, F64: 8, I32: 4, I64: 8, U8: 1 };
    for (const entry of Object.values<{ dtype: string; data_offsets: number[] }>(header)) {
      expect(entry.data_offsets[0]! % sizes[entry.dtype]!).toBe(0);
    }
  });

  it('takes files without tensors, without metadata and with spaces in the header', async () => {
    const path = join(folder, 'empty.safetensors');
    await writeSafetensors(path, new Map());
    expect(await readSafetensors(path)).toEqual({ tensors: new Map(), metadata: {} });
    const spaced = ' { "a" :\t{"shape":[ 1 ,1 ],\r\n"data_offsets" : [0, 1 ], "dtype":"U8" } } ';
    const { tensors } = await readBytes(rawFile(spaced.trimStart(), Buffer.from([5])));
    expect(tensors.get('a')).toEqual({ dtype: 'U8', shape: [1, 1], data: new Uint8Array([5]) });
  });

  it('keeps a metadata key __proto__', async () => {
    const path = join(folder, 'proto.safetensors');
    await writeSafetensors(path, new Map(), JSON.parse('{"__proto__":"x"}'), { integrity: true });
    const { metadata } = await readSafetensors(path);
    expect(Object.getOwnPropertyDescriptor(metadata, '__proto__')?.value).toBe('x');
  });
});

describe('what is refused', () => {
  const entry = (name: string, rest: string) => `"${name}":{${rest}}`;
  const good = '"dtype":"U8","shape":[2],"data_offsets":[0,2]';
  const two = Buffer.from([1, 2]);
  const huge = '9'.repeat(400);
  const cases: [what: string, file: Uint8Array, message: RegExp][] = [
    ['an empty file', Buffer.alloc(0), /at least 8 bytes, got 0 bytes/],
    ['seven bytes', Buffer.alloc(7), /at least 8 bytes, got 7 bytes/],
    ['only a length', Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), /at most 0 bytes, got 4 bytes/],
    ['a length of 2^64 − 1', Buffer.alloc(64, 255), /got 18446744073709551615 bytes/],
    ['a length of zero', rawFile(''), /begins with "\{", got its end/],
    ['a list', rawFile('[]'), /begins with "\{"/],
    ['a number', rawFile('1234'), /begins with "\{"/],
    ['white space before the object', rawFile(' {}'), /begins with "\{"/],
    ['an object that does not end', rawFile('{"a":{'), /got its end/],
    ['text after the object', rawFile('{}x'), /nothing but spaces/],
    ['bytes that are not UTF-8', rawFile(Buffer.from([0x7b, 0xff, 0x7d])), /UTF-8/],
    ['a byte order mark', rawFile('\ufeff{}'), /begins with "\{"/],
    ['a comma too many', rawFile(`{${entry('a', good)},}`, two), /header: expected """/],
    ['a string without end', rawFile('{"a'), /closing quote/],
    ['a wrong escape', rawFile('{"a\\x":1}'), /string as JSON writes it/],
    ['a control character in a string', rawFile('{"a\n":1}'), /string as JSON writes it/],
    ['an entry that is a number', rawFile('{"a":1}'), /expected "\{"/],
    ['an entry that is null', rawFile('{"a":null}'), /expected "\{"/],
    ['lists ten thousand deep', rawFile(`{"a":${'['.repeat(10_000)}`), /expected "\{"/],
    ['the same name twice', rawFile(`{${entry('a', good)},${entry('a', good)}}`, two), /twice/],
    [
      'the same name twice, once escaped',
      rawFile(`{${entry('a', good)},${entry('\\u0061', good)}}`, two),
      /"a" is there twice/,
    ],
    ['metadata twice', rawFile('{"__metadata__":{},"__metadata__":{}}'), /twice/],
    ['a metadata key twice', rawFile('{"__metadata__":{"k":"1","k":"2"}}'), /"k" is there twice/],
    ['metadata that is a number', rawFile('{"__metadata__":{"k":1}}'), /expected """/],
    ['no dtype', rawFile(`{${entry('a', '"shape":[2],"data_offsets":[0,2]')}}`, two), /without/],
    ['no shape', rawFile(`{${entry('a', '"dtype":"U8","data_offsets":[0,2]')}}`, two), /without/],
    ['no offsets', rawFile(`{${entry('a', '"dtype":"U8","shape":[2]')}}`, two), /without/],
    ['a dtype twice', rawFile(`{${entry('a', `${good},"dtype":"U8"`)}}`, two), /each once/],
    ['another member', rawFile(`{${entry('a', `${good},"stride":[1]`)}}`, two), /each once/],
    ['an unread dtype', rawFile(`{${entry('a', good.replace('U8', 'BF16'))}}`, two), /"BF16"/],
    ['a dtype of Object', rawFile(`{${entry('a', good.replace('U8', 'toString'))}}`, two), /dtype/],
    ['three offsets', rawFile(`{${entry('a', good.replace('0,2', '0,1,2'))}}`, two), /two data_of/],
    ['falling offsets', rawFile(`{${entry('a', good.replace('0,2', '2,0'))}}`, two), /rising/],
    ['a negative offset', rawFile(`{${entry('a', good.replace('0,2', '-2,0'))}}`, two), /whole/],
    ['a fraction', rawFile(`{${entry('a', good.replace('[2]', '[2.0]'))}}`, two), /"," or "]"/],
    ['an exponent', rawFile(`{${entry('a', good.replace('[2]', '[2e0]'))}}`, two), /"," or "]"/],
    ['a leading zero', rawFile(`{${entry('a', good.replace('[2]', '[02]'))}}`, two), /whole numb/],
    [
      'a size past 2^53',
      rawFile(`{${entry('a', good.replace('[2]', `[${huge}]`))}}`, two),
      /2\^53/,
    ],
    [
      'an offset past the end',
      rawFile(`{${entry('a', good)}}`, two.subarray(1)),
      /within the file/,
    ],
    ['data too long', rawFile(`{${entry('a', good)}}`, Buffer.alloc(3)), /2 bytes, as the header/],
    ['data without tensors', rawFile('{}', two), /0 bytes, as the header says, got 2/],
    [
      'a size that does not fit the shape',
      rawFile(`{${entry('a', good.replace('[2]', '[1]'))}}`, two),
      /1 bytes for U8 \[1\], got 2 bytes/,
    ],
    [
      'a product that would overflow to the right size',
      rawFile(`{${entry('a', good.replace('[2]', '[4294967296,4294967296,2]'))}}`, two),
      /more than 2\^53 bytes for U8/,
    ],
    [
      'an overlap',
      rawFile(`{${entry('a', good)},${entry('b', good.replace('0,2', '1,3'))}}`, Buffer.alloc(3)),
      /begin at byte 2, got an overlap: it begins at 1/,
    ],
    [
      'two tensors in the same place',
      rawFile(`{${entry('a', good)},${entry('b', good)}}`, two),
      /overlap/,
    ],
    [
      'a gap',
      rawFile(`{${entry('a', good)},${entry('b', good.replace('0,2', '3,5'))}}`, Buffer.alloc(5)),
      /a gap: it begins at 3/,
    ],
    ['a gap at the start', rawFile(`{${entry('a', good.replace('0,2', '1,3'))}}`, two), /a gap/],
  ];

  it.each(cases)('%s', async (_what, file, message) => {
    await expect(readBytes(file)).rejects.toMatchObject({ name: 'FlowError', code: 'FORMAT' });
    await expect(readBytes(file)).rejects.toThrow(message);
    await expect(readBytes(file)).rejects.toThrow(/raw\.safetensors/);
  });

  it('a header of more than 100 MB, without reading it', async () => {
    // A sparse file: the length says 100,000,001 bytes, and the file has them.
    const { open } = await import('node:fs/promises');
    const path = join(folder, 'sparse.safetensors');
    const handle = await open(path, 'w');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(100_000_001n);
    await handle.write(length, 0, 8, 0);
    await handle.truncate(200_000_000);
    await handle.close();
    const before = process.memoryUsage().arrayBuffers;
    await expect(readSafetensors(path)).rejects.toThrow(/at most 100000000 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10e6);
    rmSync(path);
  });

  it('a missing file and a folder, with code FILE', async () => {
    const missing = join(folder, 'missing');
    await expect(readSafetensors(missing)).rejects.toMatchObject({ code: 'FILE' });
    await expect(readSafetensors(folder)).rejects.toMatchObject({ code: 'FILE' });
  });

  it('tensors that do not fit themselves, before anything is written', async () => {
    const path = join(folder, 'never.safetensors');
    const bad: [string, unknown][] = [
      ['short', { dtype: 'F32', shape: [3], data: new Float32Array(2) }],
      ['type', { dtype: 'F64', shape: [2], data: new Float32Array(2) }],
      ['dtype', { dtype: 'F16', shape: [2], data: new Float32Array(2) }],
      ['list', { dtype: 'F32', shape: [2], data: [1, 2] }],
      ['fraction', { dtype: 'F32', shape: [0.5, 4], data: new Float32Array(2) }],
      ['negative', { dtype: 'F32', shape: [-1, -2], data: new Float32Array(2) }],
      ['__metadata__', { dtype: 'F32', shape: [2], data: new Float32Array(2) }],
      ['half \ud800', { dtype: 'F32', shape: [2], data: new Float32Array(2) }],
    ];
    for (const [name, tensor] of bad) {
      const tensors = new Map([[name, tensor as SafetensorsTensor]]);
      await expect(writeSafetensors(path, tensors), name).rejects.toMatchObject({
        name: 'FlowError',
        code: 'ARGUMENT',
      });
    }
    for (const metadata of [{ k: 1 }, { k: '\udc00' }, { '\ud800': 'v' }]) {
      const wrong = metadata as unknown as Record<string, string>;
      await expect(writeSafetensors(path, new Map(), wrong)).rejects.toMatchObject({
        code: 'ARGUMENT',
      });
    }
    expect(readdirSync(folder)).not.toContain('never.safetensors');
  });
});

describe('integrity', () => {
  it('finds every flipped bit of the data, the metadata and the shapes', async () => {
    const path = join(folder, 'sealed.safetensors');
    await writeSafetensors(path, sample(), { lambda: '1e-6' }, { integrity: true });
    const bytes = readFileSync(path);
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    const flip = (at: number, bit: number) => {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << bit;
      return copy;
    };
    for (let at = header; at < bytes.length; at++) {
      const read = parseSafetensors(flip(at, at % 8), 'bytes');
      await expect(read, `byte ${at}`).rejects.toMatchObject({
        code: 'FORMAT',
        message: expect.stringContaining('SHA-256'),
      });
    }
    const lambda = bytes.indexOf('1e-6') + 3;
    await expect(readBytes(flip(lambda, 0))).rejects.toThrow(/SHA-256/);
    const shape = bytes.indexOf('[4,0,2]') + 1;
    await expect(readBytes(flip(shape, 0))).rejects.toThrow(/SHA-256/);
  });

  it('can be left unverified, and is not asked of files without it', async () => {
    const path = join(folder, 'sealed.safetensors');
    await writeSafetensors(path, sample(), {}, { integrity: true });
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await expect(readSafetensors(path)).rejects.toMatchObject({ code: 'FORMAT' });
    expect((await readSafetensors(path, { verify: false })).tensors.size).toBe(7);
    await writeSafetensors(path, sample());
    expect((await readSafetensors(path)).tensors.size).toBe(7);
  });

  it('holds when another tool writes the same content in another order', async () => {
    const path = join(folder, 'sealed.safetensors');
    const tensors = new Map<string, SafetensorsTensor>([
      ['a', { dtype: 'U8', shape: [1], data: new Uint8Array([1]) }],
      ['b', { dtype: 'U8', shape: [1], data: new Uint8Array([2]) }],
    ]);
    await writeSafetensors(path, tensors, { k: 'v' }, { integrity: true });
    const { metadata } = await readSafetensors(path);
    const digest = metadata['flow_kernels.sha256'];
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const header = `{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
      "a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},
      "__metadata__":{"flow_kernels.sha256":"${digest}","k":"v"}}`;
    const { tensors: back } = await readBytes(rawFile(header, Buffer.from([2, 1])));
    expect(back.get('a')!.data).toEqual(new Uint8Array([1]));
  });
});
