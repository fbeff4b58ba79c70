/** Any file of a table: its format by its first bytes. */
import { extname } from 'node:path';
import { expected, FlowError } from '../../errors';
import { anything, checkOptions, picked } from '../../options';
import { readRules, type Table } from '../table';
import { unsupported } from './binary';
import { openByteSource } from './byteSource';
import { type CsvOptions, csvRules, readCsv } from './csv';
import { isIdx, readIdx } from './idx';
import { NPY_MAGIC, readNpy } from './npy';
import { readParquet } from './parquet';

const READER = 'readTable';

/** The formats that are read. */
export type TableFormat = 'csv' | 'npy' | 'parquet' | 'idx';

/** What {@link readTable} takes. */
export interface TableOptions extends CsvOptions {
  /** The format; found out from the file's first bytes where left out. */
  format?: TableFormat;
}

/** Formats that people try, by their first bytes, and what to do about them. */
const KNOWN: [magic: string, name: string, remedy: string][] = [
  ['PK\x03\x04', 'a zip archive (npz, xlsx)', 'unpack it, or save it as npy or csv'],
  ['\x89HDF', 'an HDF5 file', 'save it as npy or parquet'],
  ['SQLite', 'an SQLite database', 'export the table as csv'],
  ['ARROW1', 'an Arrow file', 'save it as parquet'],
  ['\x89PNG', 'a PNG image', 'give the folder of the images to readImageFolder'],
  ['BZh', 'a bzip2 archive', 'unpack it'],
  ['\xfd7zXZ', 'an xz archive', 'unpack it'],
  ['\x28\xb5\x2f\xfd', 'a zstd archive', 'unpack it'],
  ['\x80\x04\x95', 'a Python pickle', 'save it as npy'],
];

const READERS = { csv: readCsv, npy: readNpy, parquet: readParquet, idx: readIdx };

/**
 * Reads a table of numbers from a file of any format that is known: text (csv, tsv, …), NPY,
 * Parquet, IDX; text, NPY and IDX also packed by gzip. The format is found out from the first bytes
 * of the content; a name's ending is only believed where the bytes say nothing.
 *
 * @throws FlowError as {@link readCsv}, {@link readNpy}, {@link readParquet} and {@link readIdx} do;
 *   `UNSUPPORTED` where the format is another
 */
export async function readTable(path: string, options: TableOptions = {}): Promise<Table> {
  checkOptions('readTable', options, { ...csvRules, format: anything });
  const { format, ...rest } = options;
  if (format !== undefined && !Object.hasOwn(READERS, format)) {
    const names = Object.keys(READERS).join(', ');
    const sentence = expected(READER, 'format', `one of ${names}`, String(format), 'correct it');
    throw new FlowError('ARGUMENT', sentence);
  }
  const found = format ?? (await detectFormat(path));
  // Delimiters and headers are those of text.
  return await READERS[found](path, found === 'csv' ? rest : picked(rest, readRules));
}

/**
 * The format of a file, from its first bytes and then from its name.
 *
 * @throws FlowError `UNSUPPORTED` where it is none that is read
 */
export async function detectFormat(path: string): Promise<TableFormat> {
  const source = await openByteSource(READER, path);
  try {
    const head = await source.peek(4096);
    const ending = extname(path.replace(/\.gz$/i, '')).toLowerCase();
    if (startsWith(head, NPY_MAGIC.toString('latin1'))) return 'npy';
    if (startsWith(head, 'PAR1')) return 'parquet';
    if (isIdx(head)) return 'idx';
    const known = KNOWN.find(([magic]) => startsWith(head, magic));
    const expectation = 'text (csv), npy, parquet or idx';
    if (known !== undefined) throw unsupported(READER, path, expectation, known[1], known[2]);
    // A file whose first bytes are damaged: its reader says best what is wrong with it.
    if (ending === '.npy') return 'npy';
    if (ending === '.parquet') return 'parquet';
    if (/^\.idx|-ubyte$/.test(ending) || /-idx\d-ubyte$/.test(path)) return 'idx';
    const wide = head[0] === 0xff && head[1] === 0xfe;
    if (wide || !head.includes(0)) return 'csv';
    throw unsupported(READER, path, expectation, 'other binary data', 'convert it');
  } finally {
    await source.close();
  }
}

function startsWith(head: Buffer, magic: string): boolean {
  return head.subarray(0, magic.length).toString('latin1') === magic;
}
