/** Data: tables out of files and into files. */

export { loadMnist, type Mnist, type MnistOptions } from './mnist';
export { type CsvOptions, readCsv } from './readers/csv';
export { readIdx } from './readers/idx';
export { readNpy } from './readers/npy';
export { type ParquetOptions, readParquet } from './readers/parquet';
export { detectFormat, readTable, type TableFormat, type TableOptions } from './readers/readTable';
export type { ColumnKey, ReadOptions, Table, TableData } from './table';
export { type CsvWriteOptions, type Writable, writeCsv } from './writers/csv';
export { writeNpy } from './writers/npy';
