/** The bytes of a file in order, gzip unpacked. */
import type { FileHandle } from 'node:fs/promises';
import { createGunzip, type Gunzip } from 'node:zlib';
import { fileError, openFile, readFully } from '../../io/file';
import { formatError } from '../table';

/** The bytes of a file from its start to its end, unpacked where the file is gzip. */
export interface ByteSource {
  /** The file's path, for errors. */
  readonly path: string;
  /** Whether the file is compressed by gzip. */
  readonly gzip: boolean;
  /** The exact size of the content in bytes; undefined where only unpacking would tell. */
  readonly size: number | undefined;
  /** The most bytes that can still come: what a header may claim without being a lie. */
  bound(): number;
  /** Fills `target`; gives the number of bytes, less than asked for only at the end. */
  fill(target: Uint8Array): Promise<number>;
  /** The next bytes, up to `count`, without moving on. */
  peek(count: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Deflate's best: one bit for 258 bytes and a little more. */
const MAX_GZIP_RATIO = 1040;

/**
 * Opens a file to read it from its start; gzip is found by its first bytes and unpacked.
 *
 * @throws FlowError `FILE` where it cannot be opened or read; later `FORMAT` where gzip is damaged
 */
export async function openByteSource(reader: string, path: string): Promise<ByteSource> {
  const { handle, size } = await openFile(reader, path);
  try {
    const magic = Buffer.alloc(2);
    const gzip = (await readFully(handle, magic, 0)) === 2 && magic.readUInt16BE(0) === 0x1f8b;
    return new (gzip ? GzipSource : PlainSource)(reader, path, handle, size);
  } catch (error) {
    await handle.close();
    throw fileError(reader, path, 'a readable file', error);
  }
}

/** Looking ahead, over whatever delivers bytes in order. */
abstract class PeekingSource implements ByteSource {
  abstract readonly gzip: boolean;
  abstract readonly size: number | undefined;
  protected ahead: Buffer = Buffer.alloc(0);

  constructor(
    protected readonly reader: string,
    readonly path: string,
  ) {}

  abstract bound(): number;
  abstract close(): Promise<void>;
  /** As `fill`, past what was looked at. */
  protected abstract fillNew(target: Uint8Array): Promise<number>;

  async fill(target: Uint8Array): Promise<number> {
    const known = Math.min(this.ahead.byteLength, target.byteLength);
    target.set(this.ahead.subarray(0, known));
    this.ahead = this.ahead.subarray(known);
    return known + (known < target.byteLength ? await this.fillNew(target.subarray(known)) : 0);
  }

  async peek(count: number): Promise<Buffer> {
    if (this.ahead.byteLength < count) {
      const larger = Buffer.alloc(count);
      const got = await this.fill(larger);
      this.ahead = larger.subarray(0, got);
    }
    return this.ahead.subarray(0, count);
  }
}

class PlainSource extends PeekingSource {
  readonly gzip = false;
  private position = 0;

  constructor(
    reader: string,
    path: string,
    private readonly handle: FileHandle,
    readonly size: number,
  ) {
    super(reader, path);
  }

  bound(): number {
    return this.ahead.byteLength + Math.max(0, this.size - this.position);
  }

  protected async fillNew(target: Uint8Array): Promise<number> {
    try {
      const count = await readFully(this.handle, target, this.position);
      this.position += count;
      return count;
    } catch (error) {
      throw fileError(this.reader, this.path, 'a file that can be read', error);
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

class GzipSource extends PeekingSource {
  readonly gzip = true;
  readonly size = undefined;
  private readonly gunzip: Gunzip;
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Uint8Array = new Uint8Array(0);
  private produced = 0;

  constructor(
    reader: string,
    path: string,
    private readonly handle: FileHandle,
    private readonly packedSize: number,
  ) {
    super(reader, path);
    const file = handle.createReadStream({ autoClose: false, start: 0 });
    this.gunzip = createGunzip({ chunkSize: 1 << 18 });
    file.on('error', (error) => this.gunzip.destroy(error));
    file.pipe(this.gunzip);
    this.chunks = this.gunzip[Symbol.asyncIterator]();
  }

  bound(): number {
    return Math.max(0, this.packedSize * MAX_GZIP_RATIO - this.produced) + this.ahead.byteLength;
  }

  protected async fillNew(target: Uint8Array): Promise<number> {
    let done = 0;
    while (done < target.byteLength) {
      if (this.rest.byteLength === 0) {
        const next = await this.nextChunk();
        if (next === undefined) break;
        this.rest = next;
      }
      const count = Math.min(this.rest.byteLength, target.byteLength - done);
      target.set(this.rest.subarray(0, count), done);
      this.rest = this.rest.subarray(count);
      done += count;
    }
    this.produced += done;
    return done;
  }

  private async nextChunk(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.chunks.next();
      return done ? undefined : value;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!code.startsWith('Z_')) throw fileError(this.reader, this.path, 'readable', error);
      const got = (error as Error).message;
      throw formatError(this.reader, this.path, 'a whole gzip stream', got);
    }
  }

  async close(): Promise<void> {
    this.gunzip.destroy();
    await this.handle.close();
  }
}
