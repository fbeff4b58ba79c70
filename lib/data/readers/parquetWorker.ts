/** Parquet files decoded in a thread of their own, which a damaged file cannot hang. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { AsyncBuffer, FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { FlowError } from '../../errors';
import { formatError } from '../table';

const READER = 'readParquet';

/** Some values of one column, as numbers: a null is NaN. */
export interface ColumnPiece {
  name: string;
  /** The row of the first value. */
  start: number;
  values: Float32Array | Float64Array | Int32Array | Uint32Array;
}

/** A value that is no number. */
export interface OddValue {
  name: string;
  row: number;
  value: string;
}

type Message =
  | { kind: 'metadata'; metadata: FileMetaData }
  | ({ kind: 'piece' } & ColumnPiece)
  | ({ kind: 'odd' } & OddValue)
  | { kind: 'progress' }
  | { kind: 'done' }
  | { kind: 'failed'; message: string };

/** The error for a file that cannot be decoded. */
export function damaged(path: string, reason: string): FlowError {
  return formatError(READER, path, 'a whole Parquet file', reason.slice(0, 200));
}

/**
 * A Parquet file that is decoded in a thread of its own.
 *
 * The package that decodes is meant for good files: a damaged one can send it into a loop without
 * end, or make it use up the heap. In a thread of its own that ends as an error and not as a
 * process that hangs: the thread is ended when it has made no progress for `patience` milliseconds.
 */
export class ParquetDecoder {
  private readonly worker: Worker;
  private readonly watch: NodeJS.Timeout;
  private quietTicks = 0;
  private receive: (message: Message) => void = () => {};
  private fail: (error: Error) => void = () => {};
  private failure: Error | undefined;

  constructor(
    private readonly path: string,
    patience: number,
  ) {
    // Resolved here: in the thread there is no file that "hyparquet" could be seen from. Both
    // packages are ES modules only, which the thread imports by their addresses.
    const { resolve } = createRequire(__filename);
    const urls = ['hyparquet', 'hyparquet-compressors'].map((name) => pathToFileURL(resolve(name)));
    const modules = `require('node:worker_threads'), require('node:fs')`;
    this.worker = new Worker(`(${decodeInThread})(${modules}, (url) => import(url))`, {
      eval: true,
      workerData: { path, urls: urls.map(String) },
      resourceLimits: { maxOldGenerationSizeMb: 4096 },
    });
    this.worker.on('message', (message: Message) => {
      this.quietTicks = 0;
      if (message.kind === 'failed') this.stop(message.message);
      else this.receive(message);
    });
    this.worker.on('error', (error) => this.stop(error.message));
    this.worker.on('exit', () => this.stop('the end of the decoder'));
    // Counted in ticks and not in time: a process that was suspended for a while has only one more.
    this.watch = setInterval(() => {
      if (++this.quietTicks > 10) this.stop('a loop without end');
    }, patience / 10);
  }

  /** What the file says about itself. The first thing to ask for. */
  metadata(): Promise<FileMetaData> {
    return new Promise((resolve, reject) => {
      this.fail = reject;
      this.receive = (message) => {
        if (message.kind === 'metadata') resolve(message.metadata);
      };
    });
  }

  /** Decodes some columns. */
  columns(
    names: readonly string[],
    onPiece: (piece: ColumnPiece) => void,
    onOdd: (odd: OddValue) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.fail = reject;
      // The thread may have ended since the last answer.
      if (this.failure !== undefined) reject(this.failure);
      this.receive = (message) => {
        if (message.kind === 'piece') onPiece(message);
        else if (message.kind === 'odd') onOdd(message);
        else if (message.kind === 'done') resolve();
      };
      this.worker.postMessage(names);
    });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    clearInterval(this.watch);
    await this.worker.terminate();
  }

  private stop(reason: string): void {
    clearInterval(this.watch);
    this.failure ??= damaged(this.path, reason);
    this.fail(this.failure);
  }
}

/**
 * What the thread does. It is sent there as text, so that it needs no file of its own: it may use
 * nothing but its arguments.
 */
async function decodeInThread(
  threads: typeof import('node:worker_threads'),
  fs: typeof import('node:fs'),
  load: (url: string) => Promise<unknown>,
): Promise<void> {
  const port = threads.parentPort!;
  const post = (message: Message) => port.postMessage(message);
  const { path, urls } = threads.workerData as { path: string; urls: [string, string] };

  const toNumbers = (name: string, start: number, values: ArrayLike<unknown>) => {
    const numbers = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'number') numbers[i] = value;
      else if (value === null || value === undefined) numbers[i] = Number.NaN;
      else if (typeof value === 'boolean') numbers[i] = value ? 1 : 0;
      else if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) {
        numbers[i] = Number(value);
      } else {
        post({ kind: 'odd', name, row: start + i, value: String(value).slice(0, 100) });
        return numbers;
      }
    }
    return numbers;
  };

  try {
    const hyparquet = (await load(urls[0])) as {
      parquetMetadataAsync: typeof parquetMetadataAsync;
      parquetRead: typeof parquetRead;
    };
    const { compressors } = (await load(urls[1])) as { compressors: object };
    const descriptor = fs.openSync(path, 'r');
    const byteLength = fs.fstatSync(descriptor).size;
    const file: AsyncBuffer = {
      byteLength,
      slice: (start, end = byteLength) => {
        if (start < 0 || end > byteLength || start > end) {
          throw new Error(`a range of bytes outside of the file: ${start} to ${end}`);
        }
        const bytes = new Uint8Array(end - start);
        for (let done = 0; done < bytes.length; ) {
          const length = Math.min(2 ** 30, bytes.length - done);
          const got = fs.readSync(descriptor, bytes, done, length, start + done);
          if (got === 0) throw new Error('the end of the file');
          done += got;
        }
        return bytes.buffer;
      },
    };
    const metadata = await hyparquet.parquetMetadataAsync(file);
    const wanted = new Promise<string[]>((resolve) => port.once('message', resolve));
    post({ kind: 'metadata', metadata });
    const columns = await wanted;
    let last = Date.now();
    await hyparquet.parquetRead({
      file,
      metadata,
      compressors,
      columns,
      onPage: () => {
        if (Date.now() - last < 100) return;
        last = Date.now();
        post({ kind: 'progress' });
      },
      onChunk: ({ columnName: name, columnData, rowStart: start }) => {
        const asIs =
          columnData instanceof Float32Array ||
          columnData instanceof Float64Array ||
          columnData instanceof Int32Array ||
          columnData instanceof Uint32Array;
        const values = asIs ? columnData : toNumbers(name, start, columnData);
        post({ kind: 'piece', name, start, values });
      },
    });
    post({ kind: 'done' });
  } catch (error) {
    post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
