/** IDX, the format of MNIST. */

import { checkOptions } from '../../options';
import { formatError, type ReadOptions, readRules, type Table } from '../table';
import { type BinaryLayout, readBody } from './binary';
import { type ByteSource, openByteSource } from './byteSource';

const READER = 'readIdx';

/** Element types by the third byte of the file. */
const ELEMENTS: Record<number, BinaryLayout['array'] & { BYTES_PER_ELEMENT: number }> = {
  8: Uint8Array,
  9: Int8Array,
  11: Int16Array,
  12: Int32Array,
  13: Float32Array,
  14: Float64Array,
};

/**
 * Reads an IDX file, the format of MNIST, packed by gzip or not.
 *
 * @returns the file's shape, `[60000, 28, 28]` for MNIST's images; uint8 stays uint8, other types
 *   become float32 or float64, whichever holds them exactly
 * @throws FlowError `FORMAT` where the header is no IDX header or does not fit the file
 * @see http://yann.lecun.com/exdb/mnist/
 */
export async function readIdx(path: string, options: ReadOptions = {}): Promise<Table> {
  checkOptions('readIdx', options, readRules);
  const source = await openByteSource(READER, path);
  try {
    return await readBody(READER, source, await readHeader(source), options);
  } finally {
    await source.close();
  }
}

/** Whether a file that begins with these bytes is an IDX file. */
export function isIdx(head: Uint8Array): boolean {
  return head[0] === 0 && head[1] === 0 && Object.hasOwn(ELEMENTS, head[2] ?? -1) && head[3]! > 0;
}

async function readHeader(source: ByteSource): Promise<BinaryLayout> {
  const magic = Buffer.alloc(4);
  const got = await source.fill(magic);
  if (got < 4 || !isIdx(magic)) {
    const expectation = 'two zeros, an element type (8, 9 or 11 to 14) and the number of axes';
    throw formatError(READER, source.path, expectation, describe(magic.subarray(0, got)));
  }
  const sizes = Buffer.alloc(4 * magic[3]!);
  if ((await source.fill(sizes)) < sizes.byteLength) {
    throw formatError(READER, source.path, `${magic[3]} sizes of axes`, 'the end of the file');
  }
  const array = ELEMENTS[magic[2]!]!;
  const shape = Array.from({ length: magic[3]! }, (_, axis) => sizes.readUInt32BE(4 * axis));
  return { shape, array, itemSize: array.BYTES_PER_ELEMENT, littleEndian: false };
}

function describe(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'an empty file';
  return `the bytes ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}
