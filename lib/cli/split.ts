/** Training, validation and test parts. */
import { expected, FlowError } from '../errors';
import { RandomStream } from '../ops';
import { type Dataset, takeSamples } from './dataset';

export interface Parts {
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly test: Dataset | null;
}

/**
 * Takes fractions of the rows out, at random by the seed.
 *
 * @param fractions of all rows; 0 takes none
 * @throws FlowError DATA where a part would be empty
 */
export function splitDataset(
  dataset: Dataset,
  fractions: { readonly validation: number; readonly test: number },
  seed: number,
): Parts {
  const { rows } = dataset.rows;
  const sizeOf = (fraction: number) =>
    fraction > 0 ? Math.max(1, Math.round(fraction * rows)) : 0;
  const validation = sizeOf(fractions.validation);
  const test = sizeOf(fractions.test);
  const train = rows - validation - test;
  if (train < 2) {
    const sentence = expected(
      'train',
      dataset.source,
      'at least 2 rows to train on',
      `${rows} rows, of which ${validation + test} are validation and test`,
      'give more data, or validation data of their own with --validation FILE',
    );
    throw new FlowError('DATA', sentence);
  }
  if (validation + test === 0) return { train: dataset, validation: null, test: null };
  const stream = new RandomStream(seed);
  const order = Int32Array.from(stream.permutation(rows));
  stream.dispose();
  // In the order of the file: a run does not depend on more than which rows are where.
  const part = (first: number, count: number) =>
    count === 0 ? null : takeSamples(dataset, order.slice(first, first + count).sort());
  return {
    train: part(validation + test, train) as Dataset,
    validation: part(0, validation),
    test: part(validation, test),
  };
}
