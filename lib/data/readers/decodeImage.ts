/** One PNG or JPEG file as pixels. */
import { readFile } from 'node:fs/promises';
import { decode } from 'jpeg-js';
import { PNG } from 'pngjs';
import { fileError } from '../../io/file';
import { formatError } from '../table';

/** Red, green and blue, [height, width, 3]. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A picture of more pixels than this is not decoded: its header may lie. */
const MOST_MEGAPIXELS = 100;

/**
 * Decodes a PNG or JPEG file; which it is, its first bytes say. What is transparent is drawn over white; more than 8 bits
 * a channel are rounded to 8.
 *
 * @throws FlowError `FILE` where it cannot be read; `FORMAT` where it is neither, or damaged
 */
export async function decodeImage(reader: string, path: string): Promise<Pixels> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(reader, path, 'a readable image', error);
  }
  const isPng = bytes.subarray(0, 8).toString('latin1') === '\x89PNG\r\n\x1a\n';
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  if (!isPng && !isJpeg) {
    const got = bytes.length === 0 ? 'an empty file' : 'another format';
    throw formatError(reader, path, 'a PNG or JPEG image', got, 'convert it, or leave it out');
  }
  try {
    const size = isPng ? pngSize(bytes) : 0;
    if (size > MOST_MEGAPIXELS * 1e6) throw new Error(`${size} pixels`);
    const { data, width, height } = isPng
      ? PNG.sync.read(bytes)
      : decode(bytes, {
          useTArray: true,
          tolerantDecoding: false,
          maxResolutionInMP: MOST_MEGAPIXELS,
          maxMemoryUsageInMB: 2048,
        });
    return { data: withoutAlpha(data), width, height };
  } catch (error) {
    const got = `one that cannot be decoded (${(error as Error).message})`;
    throw formatError(reader, path, `a whole ${isPng ? 'PNG' : 'JPEG'} image`, got);
  }
}

/** Pixels by the header. */
function pngSize(bytes: Buffer): number {
  return bytes.length < 24 ? 0 : bytes.readUInt32BE(16) * bytes.readUInt32BE(20);
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, at = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3] as number;
    for (let c = 0; c < 3; c++) {
      const value = rgba[i + c] as number;
      rgb[at++] = alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return rgb;
}
