/** Rows for training and rows to judge by. */

import { dtypeOfArray, type TypedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkArgument, described, number, object, seed as seedRule } from '../options';
import { streamFor } from './seeds';

/** What a split needs of a table; the tables of the readers have it. */
export interface SplitTable {
  readonly data: TypedArray;
  readonly rows: number;
  readonly cols: number;
  readonly shape?: readonly number[];
}

/**
 * Splits a table at random into two, each row in one of them, in the order of the table.
 *
 * @param fraction of the rows that go to `validation`, rounded to a whole number of rows, at least one
 * @param seed of the choice
 * @throws FlowError ARGUMENT when a part would be empty
 */
export function trainValidationSplit<T extends SplitTable>(
  table: T,
  fraction = 0.1,
  seed = 0,
): { train: T; validation: T } {
  checkArgument('trainValidationSplit', 'table', table, object);
  checkTable('trainValidationSplit', table);
  checkArgument('trainValidationSplit', 'seed', seed, seedRule);
  if (typeof fraction !== 'number')
    checkArgument('trainValidationSplit', 'fraction', fraction, number);
  const chosen = Math.max(1, Math.round(table.rows * fraction));
  if (!(typeof fraction === 'number' && fraction > 0 && fraction < 1) || chosen >= table.rows) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'trainValidationSplit',
        'fraction',
        'a number between 0 and 1 that leaves rows in both parts',
        `${described(fraction)} of ${table.rows} rows`,
        'for instance 0.1, with more rows',
      ),
    );
  }
  const stream = streamFor(seed, 'split');
  const order = Int32Array.from(stream.permutation(table.rows));
  stream.dispose();
  return {
    train: take(table, order.subarray(chosen).sort()),
    validation: take(table, order.subarray(0, chosen).sort()),
  };
}

function checkTable(where: string, { data, rows, cols }: SplitTable): void {
  const fits =
    dtypeOfArray(data) &&
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(cols) &&
    data.length === rows * cols;
  if (fits) return;
  const got = `${dtypeOfArray(data) ? `${data.length} numbers` : described(data)}, ${described(rows)} rows of ${described(cols)}`;
  const wanted = '{ data, rows, cols }, a typed array of rows · cols numbers';
  throw new FlowError('ARGUMENT', expected(where, 'table', wanted, got, 'pass what a reader gave'));
}

function take<T extends SplitTable>(table: T, rows: Int32Array): T {
  const { data, cols } = table;
  const taken = new (data.constructor as new (length: number) => TypedArray)(rows.length * cols);
  rows.forEach((row, k) => {
    taken.set(data.subarray(row * cols, (row + 1) * cols) as never, k * cols);
  });
  const shape = table.shape ? { shape: [rows.length, ...table.shape.slice(1)] } : {};
  return { ...table, ...shape, data: taken, rows: rows.length };
}
