import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  linearDecode,
  linearEncode,
  muLawDecode,
  muLawEncode,
  readWav,
  readWavFolder,
  soundRows,
  writeWav,
} from '../../lib';
import { failure, temporaryFiles } from './files';

const file = temporaryFiles();
const wave = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i) * 0.99);

/** The chunks of a RIFF file. */
function riff(...chunks: [id: string, body: Buffer][]): Buffer {
  const parts = chunks.map(([id, body]) => {
    const head = Buffer.alloc(8);
    head.write(id, 0, 'latin1');
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  });
  const body = Buffer.concat([Buffer.from('WAVE'), ...parts]);
  const head = Buffer.alloc(8);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}
function fmt(code: number, channels: number, rate: number, bits: number, more = Buffer.alloc(0)) {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(code, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt32LE((rate * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  return Buffer.concat([body, more]);
}
const bytes = (...values: number[]) => Buffer.from(values);

describe('readWav', () => {
  it.each([
    ['8 bits', fmt(1, 1, 8000, 8), bytes(0, 128, 255), [-1, 0, 127 / 128]],
    ['16 bits', fmt(1, 1, 8000, 16), bytes(0, 128, 0, 64, 255, 127), [-1, 0.5, 32767 / 32768]],
    ['24 bits', fmt(1, 1, 8000, 24), bytes(0, 0, 128, 1, 0, 0), [-1, 2 ** -23]],
    ['32 bits', fmt(1, 1, 8000, 32), bytes(0, 0, 0, 128, 0, 0, 0, 32), [-1, 0.25]],
    ['float', fmt(3, 1, 8000, 32), bytes(0, 0, 128, 190), [-0.25]],
    ['double', fmt(3, 1, 8000, 64), bytes(0, 0, 0, 0, 0, 0, 4, 64), [2.5]],
  ] as const)('reads %s', async (name, format, data, expected) => {
    const path = file(`${name}.wav`, riff(['fmt ', format], ['data', data]));
    const { samples, rate, channels, bits } = await readWav(path);
    expect(Array.from(samples)).toEqual(Array.from(Float32Array.from(expected)));
    expect([rate, channels, bits]).toEqual([8000, 1, format.readUInt16LE(14)]);
  });

  it('passes over other chunks of odd sizes, takes the extensible form and two channels', async () => {
    const extension = bytes(
      22,
      0,
      16,
      0,
      3,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      16,
      0,
      128,
      0,
      0,
      170,
      0,
      56,
      155,
      113,
    );
    const path = file(
      'more.wav',
      riff(
        ['LIST', bytes(1, 2, 3)],
        ['fmt ', fmt(0xfffe, 2, 44100, 16, extension)],
        ['data', bytes(0, 64, 0, 192)],
      ),
    );
    const sound = await readWav(path);
    expect(sound).toMatchObject({ rate: 44100, channels: 2, encoding: 'pcm', bits: 16 });
    expect(Array.from(sound.samples)).toEqual([0.5, -0.5]);
  });

  it('reads to the end what was written into a pipe', async () => {
    const content = riff(['fmt ', fmt(1, 1, 22050, 16)], ['data', bytes(0, 64, 0, 32)]);
    content.writeUInt32LE(0x7ffff000, content.length - 8);
    expect(Array.from((await readWav(file('pipe.wav', content))).samples)).toEqual([0.5, 0.25]);
  });

  it('says which byte is wrong', async () => {
    const good = riff(['fmt ', fmt(1, 1, 8000, 16)], ['data', bytes(0, 64, 0, 32)]);
    const says = async (content: Uint8Array) =>
      (await failure(readWav(file('bad.wav', content)), 'FORMAT')).message;
    expect(await says(Buffer.from('OggS and more'))).toMatch(
      /\[readWav\] .*bad.wav: byte 0: expected RIFF, got "OggS": the file is no WAV file: convert it/,
    );
    expect(await says(good.subarray(0, 46))).toMatch(
      /byte 44: expected 4 bytes of data, got 2: the file is cut off/,
    );
    expect(await says(good.subarray(0, 30))).toMatch(
      /byte 20: expected a fmt chunk of 16 bytes, got the end of the file after 10 bytes/,
    );
    expect(await says(good.subarray(0, 36))).toMatch(/byte 36: expected a data chunk, got the end/);
    expect(await says(riff(['fmt ', fmt(7, 1, 8000, 8)]))).toMatch(
      /byte 20: expected format 1 \(PCM\) or 3 \(float\), got 7/,
    );
    expect(await says(riff(['fmt ', fmt(1, 1, 8000, 12)]))).toMatch(
      /byte 34: expected 8, 16, 24 or 32 bits a sample, got 12/,
    );
    expect(await says(riff(['data', bytes(0, 0)]))).toMatch(
      /byte 12: expected a fmt chunk before the data, got none/,
    );
    const nan = riff(['fmt ', fmt(3, 1, 8000, 32)], ['data', bytes(0, 0, 0, 0, 0, 0, 192, 127)]);
    expect((await failure(readWav(file('nan.wav', nan)), 'DATA')).message).toMatch(
      /byte 48: expected a number, got NaN/,
    );
    await failure(readWav('/no/such.wav'), 'FILE');
  });
});

describe('writeWav', () => {
  it.each([8, 16, 24, 32, 'float'] as const)('%s: what it writes is read again', async (bits) => {
    const path = file(`out-${bits}.wav`, '');
    await writeWav(path, { samples: wave, rate: 16000, channels: 2 }, { bits });
    const sound = await readWav(path);
    expect(sound).toMatchObject({ rate: 16000, channels: 2, bits: bits === 'float' ? 32 : bits });
    const step = bits === 'float' ? 0 : 2 ** (1 - bits);
    for (const [i, value] of sound.samples.entries()) {
      expect(Math.abs(value - wave[i]!)).toBeLessThanOrEqual(0.5 * step + 2 ** -25);
    }
  });

  it('writes the bytes of the format', async () => {
    const path = file('bytes.wav', '');
    await writeWav(path, { samples: [0.5, -1, 2], rate: 8000 });
    expect(readFileSync(path)).toEqual(
      riff(['fmt ', fmt(1, 1, 8000, 16)], ['data', bytes(0, 64, 0, 128, 255, 127)]),
    );
  });

  it('refuses what is no sound', async () => {
    const path = file('no.wav', '');
    const rate = 8000;
    const says = async (samples: number[], channels = 1) =>
      (await failure(writeWav(path, { samples, rate, channels }), 'ARGUMENT')).message;
    expect(await says([0, Number.NaN])).toMatch(/samples\[1\]: expected a number, got NaN/);
    expect(await says([0, 0, 0], 2)).toMatch(
      /channels: expected a divisor of the 3 samples, got 2/,
    );
  });
});

describe('folders and rows', () => {
  it('reads the files of one rate, as one channel, in order', async () => {
    const folder = dirname(file('x', ''));
    const path = (name: string) => file(name, '');
    const { mkdirSync } = await import('node:fs');
    mkdirSync(`${folder}/speech/deep`, { recursive: true });
    await writeWav(path('speech/b.wav'), { samples: [0.5, 0.25], rate: 8000, channels: 2 });
    await writeWav(path('speech/deep/a.wav'), { samples: [0.125], rate: 8000 });
    const { sounds, files, rate } = await readWavFolder(`${folder}/speech`);
    expect([files, rate]).toEqual([['b.wav', 'deep/a.wav'], 8000]);
    expect(sounds.map((sound) => Array.from(sound))).toEqual([[0.375], [0.125]]);
    await writeWav(path('speech/c.wav'), { samples: [0.5], rate: 9000 });
    expect((await failure(readWavFolder(`${folder}/speech`), 'DATA')).message).toMatch(
      /c\.wav: expected 8000 samples a second, as the files before, got 9000/,
    );
  });

  it('cuts sounds into rows', () => {
    const sounds = [Float32Array.of(1, 2, 3, 4, 5), Float32Array.of(6), Float32Array.of(7, 8)];
    const { data, rows, cols } = soundRows(sounds, 2);
    expect([Array.from(data), rows, cols]).toEqual([[1, 2, 3, 4, 7, 8], 3, 2]);
    expect(() => soundRows(sounds, 6)).toThrow(/expected a sound of 6 samples or more, got 5/);
  });
});

describe('levels', () => {
  it('are those of the definitions', () => {
    const mu = 255;
    for (const x of [-1, -0.3, -0.001, 0, 0.02, 0.7, 1]) {
      const y = (Math.sign(x) * Math.log(1 + mu * Math.abs(x))) / Math.log(1 + mu);
      expect(muLawEncode([x])[0]).toBe(Math.floor(((y + 1) / 2) * mu + 0.5));
    }
    expect(Array.from(linearEncode([-1, 0, 1, 3], 5))).toEqual([0, 2, 4, 4]);
    expect(Array.from(linearDecode([0, 1, 4], 5))).toEqual([-1, -0.5, 1]);
  });

  it('come back to themselves, and samples within half a level', () => {
    for (const levels of [2, 16, 256, 1000]) {
      const all = Array.from({ length: levels }, (_, k) => k);
      expect(Array.from(muLawEncode(muLawDecode(all, levels), levels))).toEqual(all);
      expect(Array.from(linearEncode(linearDecode(all, levels), levels))).toEqual(all);
    }
    const again = muLawDecode(muLawEncode(wave));
    for (const [i, x] of wave.entries()) {
      // Half a level of the companded value times the slope of its inverse.
      const step = (Math.log(256) / 255) * (1 / 255 + Math.abs(x)) * 1.02;
      expect(Math.abs(again[i]! - x)).toBeLessThanOrEqual(step);
    }
  });
});
