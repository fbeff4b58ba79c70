/** Safetensors files, written and read. */
import { expected, FlowError } from '../errors';
import { checkArgument, object, one } from '../options';
import { writeFileAtomic } from './atomic';
import {
  bytesOf,
  elementCount,
  HOST_IS_LITTLE_ENDIAN,
  littleEndianBytes,
  swapElements,
} from './bytes';
import { fileError, openFile, readFully } from './file';
import { contentDigest, DIGEST_KEY } from './safetensorsDigest';
import {
  formatError,
  MAX_HEADER_BYTES,
  parseHeader,
  quote,
  SAFETENSORS_SIZES,
  type SafetensorsDtype,
  type SafetensorsHeader,
} from './safetensorsHeader';

/** The typed array of each element type. */
const ARRAYS = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
} as const;

/** The data of a tensor in a safetensors file. */
export type SafetensorsData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** One tensor of a safetensors file; `data` is row-major and has as many elements as `shape`. */
export interface SafetensorsTensor {
  dtype: SafetensorsDtype;
  shape: readonly number[];
  data: SafetensorsData;
}

/** What a safetensors file holds. */
export interface Safetensors {
  /** By name, in the order of the header. */
  tensors: Map<string, SafetensorsTensor>;
  metadata: Record<string, string>;
}

/**
 * Writes tensors and metadata as one safetensors file, atomically: see {@link writeFileAtomic}.
 *
 * The data are laid out by falling element size, so that each tensor is aligned, and the header is
 * padded with spaces to a multiple of 8 bytes. Do not change the tensors until the promise settles.
 *
 * @param options `integrity`: also store a SHA-256 of the content, which
 *   {@link readSafetensors} verifies
 * @throws FlowError `ARGUMENT` where a tensor's shape, type and data do not fit each other;
 *   `FILE` where the file cannot be written
 * @see https://github.com/huggingface/safetensors#format
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: { integrity?: boolean } = {},
): Promise<void> {
  checkArgument(
    'writeSafetensors',
    'tensors',
    tensors,
    one('a Map', () => Map),
  );
  for (const [name, entry] of tensors) checkArgument('writeSafetensors', name, entry, object);
  checkArgument('writeSafetensors', 'metadata', metadata, object);
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  checkMetadata(metadata);
  const all = options.integrity
    ? { ...metadata, [DIGEST_KEY]: contentDigest(tensors, metadata) }
    : metadata;
  await writeFileAtomic(path, serialise(tensors, all));
}

/** The pieces of the file: its length and header, then each tensor's data. */
function* serialise(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
  const layout = [...tensors].sort(
    ([, a], [, b]) => SAFETENSORS_SIZES[b.dtype] - SAFETENSORS_SIZES[a.dtype],
  );
  const offsets = new Map<string, [number, number]>();
  let position = 0;
  for (const [name, { data }] of layout) {
    offsets.set(name, [position, position + data.byteLength]);
    position += data.byteLength;
  }
  const members = [...tensors].map(([name, { dtype, shape }]) => {
    const entry = { dtype, shape, data_offsets: offsets.get(name) };
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
  });
  if (Object.keys(metadata).length > 0) {
    members.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  }
  const json = Buffer.from(`{${members.join(',')}}`, 'utf8');
  const length = Math.ceil(json.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    const expectation = `a header of at most ${MAX_HEADER_BYTES} bytes`;
    throw argumentError('header', expectation, `${length} bytes`, 'store less metadata');
  }
  const head = Buffer.alloc(8 + length, ' ');
  head.writeBigUInt64LE(BigInt(length), 0);
  json.copy(head, 8);
  yield head;
  for (const [, { data }] of layout) yield littleEndianBytes(data);
}

function argumentError(what: string, expectation: string, got: string, remedy: string) {
  return new FlowError('ARGUMENT', expected('writeSafetensors', what, expectation, got, remedy));
}

/** UTF-8 cannot hold half of a surrogate pair: it would come back as another character. */
const HALF_PAIR = /\p{Surrogate}/u;

function checkTensor(name: string, { dtype, shape, data }: SafetensorsTensor): void {
  const what = `tensor ${quote(name)}`;
  if (name === '__metadata__' || HALF_PAIR.test(name)) {
    const remedy = 'rename the tensor';
    throw argumentError(what, 'a name of well-formed text other than __metadata__', name, remedy);
  }
  if (!Object.hasOwn(ARRAYS, dtype) || !(data instanceof ARRAYS[dtype])) {
    const expectation = `a dtype out of ${Object.keys(ARRAYS).join(', ')} and its typed array`;
    const got = `${String(dtype)} with a ${data?.constructor?.name ?? typeof data}`;
    throw argumentError(what, expectation, got, 'convert the data or correct the dtype');
  }
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const count = whole ? elementCount(shape) : undefined;
  if (count !== data.length) {
    const expectation = `as many elements as its shape [${shape.join(', ')}]`;
    throw argumentError(what, expectation, `${data.length} elements`, 'correct the shape');
  }
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value === 'string' && !HALF_PAIR.test(key) && !HALF_PAIR.test(value)) continue;
    const got = typeof value === 'string' ? 'text that is not well formed' : typeof value;
    const remedy = 'turn the value into text, by JSON.stringify for example';
    throw argumentError(`metadata ${quote(key)}`, 'text', got, remedy);
  }
}

/**
 * Reads a safetensors file. Each tensor gets its own memory.
 *
 * Nothing that the file says is believed before it is checked: the length of the header (at most
 * 100 MB and the file's size), the JSON (equal names are refused), the types, the shapes against
 * the offsets, and the offsets, which must fill the data exactly. So no file can make this allocate
 * more than a small multiple of its own size. Data may hold NaN. Where the metadata has a digest,
 * see {@link writeSafetensors}, it is verified.
 *
 * @param options `verify`: false to skip the digest
 * @throws FlowError `FORMAT` for a file that is damaged, hostile or of another format, and for
 *   element types other than F32, F64, I32, I64, U8; `FILE` where it cannot be read
 */
export async function readSafetensors(
  path: string,
  options: { verify?: boolean } = {},
): Promise<Safetensors> {
  const { handle, size } = await openFile('readSafetensors', path);
  try {
    const read: Read = (target, position) => readFully(handle, target, position);
    return await decode(path, size, read, options.verify);
  } catch (error) {
    throw fileError('readSafetensors', path, 'a file that can be read', error);
  } finally {
    await handle.close();
  }
}

/**
 * The same as {@link readSafetensors} for a file that is in memory already.
 *
 * @param source a name for errors
 */
export async function parseSafetensors(
  bytes: Uint8Array,
  source: string,
  options: { verify?: boolean } = {},
): Promise<Safetensors> {
  const read: Read = async (target, position) => {
    const piece = bytes.subarray(position, position + target.byteLength);
    target.set(piece);
    return piece.byteLength;
  };
  return await decode(source, bytes.byteLength, read, options.verify);
}

/** Fills `target` from a position on; gives the number of bytes that there were. */
type Read = (target: Uint8Array, position: number) => Promise<number>;

async function decode(
  source: string,
  size: number,
  readSome: Read,
  verify = true,
): Promise<Safetensors> {
  const read = async (target: Uint8Array, position: number) => {
    const count = await readSome(target, position);
    if (count < target.byteLength) {
      const got = `its end after ${position + count}`;
      throw formatError(source, 'file', `${position + target.byteLength} bytes`, got);
    }
  };
  const { header, dataStart } = await readHeader(source, size, read);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, dtype, shape, begin, end } of header.entries) {
    const itemSize = SAFETENSORS_SIZES[dtype];
    const data = new ARRAYS[dtype]((end - begin) / itemSize);
    await read(bytesOf(data), dataStart + begin);
    if (!HOST_IS_LITTLE_ENDIAN) swapElements(bytesOf(data), itemSize);
    tensors.set(name, { dtype, shape, data });
  }
  // fromEntries defines its keys: a key "__proto__" is then a key like any other.
  const metadata: Record<string, string> = Object.fromEntries(header.metadata);
  if (verify) verifyDigest(source, tensors, metadata);
  return { tensors, metadata };
}

async function readHeader(
  source: string,
  size: number,
  read: (target: Uint8Array, position: number) => Promise<void>,
): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  if (size < 8) throw formatError(source, 'file', 'at least 8 bytes', `${size} bytes`);
  const prefix = Buffer.alloc(8);
  await read(prefix, 0);
  const length = prefix.readBigUInt64LE(0);
  const most = Math.min(MAX_HEADER_BYTES, size - 8);
  if (length > BigInt(most)) {
    throw formatError(source, 'length of the header', `at most ${most} bytes`, `${length} bytes`);
  }
  const bytes = new Uint8Array(Number(length));
  await read(bytes, 8);
  const dataStart = 8 + bytes.byteLength;
  return { header: parseHeader(bytes, size - dataStart, source), dataStart };
}

function verifyDigest(
  source: string,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>>,
): void {
  if (!Object.hasOwn(metadata, DIGEST_KEY)) return;
  const stored = metadata[DIGEST_KEY]!;
  const actual = contentDigest(tensors, metadata);
  if (stored === actual) return;
  const remedy = 'the content was changed after it was written; get a good copy of the file';
  throw formatError(source, 'SHA-256 of the content', quote(stored), `"${actual}"`, remedy);
}
