/** Data: tables out of files and into files. */

export { type BandOptions, bandPowers } from './bandPowers';
export {
  type ImageTable,
  imageShapeOf,
  type LabelledImages,
  oneHot,
  padImages,
} from './images';
export { loadMnist, type Mnist, type MnistOptions } from './mnist';
export { CIFAR10_CLASSES, type Cifar10Options, loadCifar10, readCifar10 } from './readers/cifar10';
export { type CsvOptions, readCsv } from './readers/csv';
export { readIdx } from './readers/idx';
export {
  type ImageFolder,
  type ImageFolderOptions,
  readImageFolder,
} from './readers/imageFolder';
export { readNpy } from './readers/npy';
export { type ParquetOptions, readParquet } from './readers/parquet';
export { detectFormat, readTable, type TableFormat, type TableOptions } from './readers/readTable';
export { readWav, readWavFolder, soundRows, type WavFolder } from './readers/wav';
export {
  linearDecode,
  linearEncode,
  muLawDecode,
  muLawEncode,
  type Sound,
  type SoundFile,
  toMono,
} from './sound';
export type { ColumnKey, ReadOptions, Table, TableData } from './table';
export { type CsvWriteOptions, type Writable, writeCsv } from './writers/csv';
export { writeNpy } from './writers/npy';
export { type WavWriteOptions, writeWav } from './writers/wav';
