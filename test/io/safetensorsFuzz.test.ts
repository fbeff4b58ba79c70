import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowError } from '../../lib/errors';
import {
  parseSafetensors,
  readSafetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from '../../lib/io/safetensors';
import { randomIntegers } from './safetensorsFile';

const MUTATIONS = 10_000;
const INTERESTING = ['0', '-1', '1e9', '4294967296', '9007199254740993', '"', '{', '}', '[', ','];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** One damaged copy of `valid`. */
function mutate(valid: Buffer, random: (below: number) => number): Buffer {
  const header = Number(valid.readBigUInt64LE(0));
  const at = random(valid.length);
  const inHeader = 8 + random(header);
  const copy = Buffer.from(valid);
  switch (random(8)) {
    case 0: // up to four flipped bits, anywhere
      for (let i = random(4); i >= 0; i--) copy[random(copy.length)]! ^= 1 << random(8);
      return copy;
    case 1: // a flipped bit in the header, where most of the meaning is
      copy[inHeader]! ^= 1 << random(8);
      return copy;
    case 2: // cut off
      return copy.subarray(0, at);
    case 3: // a length that lies, a little or a lot
      if (random(2)) copy.writeBigUInt64LE(BigInt(random(2 * valid.length)), 0);
      else copy[random(8)] = random(256);
      return copy;
    case 4: // bytes put in
      return Buffer.concat([copy.subarray(0, at), Buffer.from([random(256)]), copy.subarray(at)]);
    case 5: // bytes taken out
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random(16))]);
    case 6: {
      // a piece of the header replaced by something that a parser may trip over
      const word = Buffer.from(INTERESTING[random(INTERESTING.length)]!);
      return Buffer.concat([
        copy.subarray(0, inHeader),
        word,
        copy.subarray(inHeader + word.length),
      ]);
    }
    default: {
      // a digit replaced by another: shapes and offsets that are numbers still
      const digits = [...copy.subarray(8, 8 + header).keys()].filter((i) => {
        const code = copy[8 + i]!;
        return code >= 0x30 && code <= 0x39;
      });
      copy[8 + digits[random(digits.length)]!] = 0x30 + random(10);
      return copy;
    }
  }
}

describe('damaged files', () => {
  it(`${MUTATIONS} mutations load or give a FlowError FORMAT`, async () => {
    const path = join(folder, 'model.safetensors');
    const tensors = new Map<string, SafetensorsTensor>([
      ['weight', { dtype: 'F32', shape: [3, 2], data: new Float32Array([1, -2, 3, -4, 5, -6]) }],
      ['bias', { dtype: 'F64', shape: [2], data: new Float64Array([0.5, Number.NaN]) }],
      ['step', { dtype: 'I64', shape: [], data: new BigInt64Array([12n]) }],
      ['mask', { dtype: 'U8', shape: [5], data: new Uint8Array([1, 2, 3, 4, 5]) }],
    ]);
    await writeSafetensors(path, tensors, { format: '1', architecture: '{"name":"maf"}' });
    const valid = readFileSync(path);
    const random = randomIntegers(20261122);
    const before = process.memoryUsage().arrayBuffers;
    const outcomes = { loaded: 0, refused: 0 };
    for (let i = 0; i < MUTATIONS; i++) {
      const bytes = mutate(valid, random);
      // Every tenth goes through a file, the others through memory: the same code but for the read.
      if (i % 10 === 0) writeFileSync(path, bytes);
      const read = i % 10 === 0 ? readSafetensors(path) : parseSafetensors(bytes, 'bytes');
      try {
        const { tensors: found } = await read;
        outcomes.loaded++;
        // What loads is consistent: no more data than the file has.
        let size = 0;
        for (const { data, shape } of found.values()) {
          expect(shape.reduce((product, n) => product * n, 1)).toBe(data.length);
          size += data.byteLength;
        }
        expect(size).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        if (!(error instanceof FlowError) || error.code !== 'FORMAT') {
          throw new Error(`mutation ${i}: ${bytes.toString('latin1')}`, { cause: error });
        }
        outcomes.refused++;
      }
    }
    // Flips in data, names and metadata load; the rest must not.
    expect(outcomes.loaded).toBeGreaterThan(MUTATIONS / 20);
    expect(outcomes.refused).toBeGreaterThan(MUTATIONS / 2);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64e6);
  });

  it('with a digest, no mutation gives other weights', async () => {
    const path = join(folder, 'sealed.safetensors');
    const data = new Float32Array([1, -2, 3, -4, 5, -6]);
    const tensors = new Map<string, SafetensorsTensor>([['w', { dtype: 'F32', shape: [6], data }]]);
    await writeSafetensors(path, tensors, { lambda: '1e-6' }, { integrity: true });
    const valid = readFileSync(path);
    const random = randomIntegers(7);
    let loaded = 0;
    for (let i = 0; i < 2000; i++) {
      const found = await parseSafetensors(mutate(valid, random), 'bytes').catch(() => undefined);
      // A file whose digest's own name was damaged is read as one without a digest.
      if (found === undefined || !('flow_kernels.sha256' in found.metadata)) continue;
      loaded++;
      expect([...found.tensors.keys()]).toEqual(['w']);
      expect([...found.tensors.get('w')!.data]).toEqual([...data]);
      expect(found.metadata.lambda).toBe('1e-6');
    }
    expect(loaded).toBeGreaterThan(0);
  });
});
