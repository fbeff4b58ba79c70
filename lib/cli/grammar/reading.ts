/** How a data file is named and read. */
import { type Command, Option } from 'commander';
import type { ColumnKey } from '../../data/table';
import type { SoundEncoding } from '../sound';
import { columns, whole } from '../words';

/** How a data file is read. */
export interface ReadingOptions {
  readonly columns?: ColumnKey[];
  readonly exclude?: ColumnKey[];
  readonly contextColumns?: ColumnKey[];
  readonly header?: boolean;
  readonly delimiter?: string;
  readonly missing?: 'error' | 'drop';
  /** Pixels of a side that the images of a folder are made smaller to. */
  readonly size?: number;
  /** Pixels of a side that images are padded to. */
  readonly pad?: number;
  /** The file of the labels that the model is conditional on; true: those that come with the images. */
  readonly labels?: string | true;
  /** Samples of a row of sound. */
  readonly window?: number;
  /** Bands of the spectrum that a model of sound is told. */
  readonly spectrum?: number;
  /** Samples of its frames. */
  readonly hop?: number;
  /** How samples of sound are written: no option, it follows from the model's likelihood. */
  readonly encoding?: SoundEncoding;
}

export const formats =
  'DATA is CSV (any delimiter, .gz too), NPY, Parquet or IDX, one row a sample; or images: a folder of PNG and JPEG files ' +
  '(subfolders are classes), a folder or file of CIFAR-10; or sound: a WAV file or a folder of them (subfolders are classes).';

/** The options of a data file. */
export function addReading(command: Command): Command {
  return command
    .optionsGroup('Data:')
    .option(
      '--columns <keys>',
      'columns to model: names, indices from 0, ranges: age,3,5-8',
      columns,
    )
    .option('--exclude <keys>', 'columns to leave out', columns)
    .option('--header', 'the first line holds names (found out where not said)')
    .option('--no-header', 'the first line holds numbers')
    .option('--delimiter <character>', 'character between cells (found out where not said)')
    .addOption(
      new Option('--missing <rule>', 'empty and NaN cells: stop, or drop their rows').choices([
        'error',
        'drop',
      ]),
    )
    .option(
      '--size <pixels>',
      'images of a folder: made smaller to this side, the middle kept',
      whole(1, 4096),
    )
    .option('--window <samples>', 'sound: samples of a row (default: 4000)', whole(1))
    .option('--pad <pixels>', 'images: a black border, up to this side', whole(1, 4096))
    .option(
      '--labels [file]',
      'condition on the class of each row: of a file, or those that come with the images; of sound the subfolders',
    );
}
