/** From what users pass — plain arrays, typed arrays, tensors — to a matrix of rows. */
import { dtypeOfArray, type FloatDType, type TypedArray, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { Tensor, tensorOfArray } from './tensor';

/**
 * Rows of numbers: a tensor [N, D], nested arrays [[…], …], a flat typed or plain array of N·D numbers in row-major
 * order, or a table as the readers give it.
 */
export type Rows =
  | Tensor
  | TypedArray
  | readonly number[]
  | readonly (readonly number[] | TypedArray)[]
  | TableRows;

/** A table as the readers give it; names and source are for errors. */
export interface TableRows {
  readonly data: TypedArray;
  readonly rows: number;
  readonly cols: number;
  readonly columns?: readonly string[];
  readonly source?: string;
}

/** Whether the rows are a table. */
export function isTable(rows: Rows): rows is TableRows {
  return !(rows instanceof Tensor) && !Array.isArray(rows) && 'data' in rows && 'cols' in rows;
}

function shapeError(where: string, what: string, features: number, got: string): FlowError {
  return new FlowError(
    'SHAPE',
    expected(
      where,
      what,
      `rows of ${features} numbers`,
      got,
      `the model has ${features} features: pass shape [N, ${features}]`,
    ),
  );
}

/**
 * The rows as a tensor [N, features]. A tensor is passed through (not copied); of numbers a new one is made: integers
 * in an Int32Array or Uint8Array keep their type, all others become `dtype`.
 *
 * @throws FlowError SHAPE when a row does not have `features` numbers; DATA when a plain array holds something else
 *   than a number
 */
export function rowsTensor(
  where: string,
  what: string,
  rows: Rows,
  features: number,
  dtype: FloatDType,
): Tensor {
  if (rows === null || typeof rows !== 'object') {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        what,
        'a tensor, an array of rows or a typed array',
        String(rows),
        'pass the data',
      ),
    );
  }
  if (rows instanceof Tensor) {
    if (rows.shape.length !== 2 || rows.cols !== features) {
      throw shapeError(where, what, features, `a tensor of shape ${formatShape(rows.shape)}`);
    }
    return rows;
  }
  if (isTable(rows)) {
    if (rows.cols !== features)
      throw shapeError(where, what, features, `a table of ${rows.cols} columns`);
    return rowsTensor(where, what, rows.data, features, dtype);
  }
  const ownType = dtypeOfArray(rows);
  if (ownType !== undefined) {
    const array = rows as TypedArray;
    if (features === 0 || array.length % features !== 0) {
      throw shapeError(where, what, features, `an array of ${array.length} numbers`);
    }
    const shape = [array.length / features, features];
    if (ownType === 'int32' || ownType === 'uint8' || ownType === dtype)
      return tensorOfArray(array, shape);
    return tensorOfArray(
      dtype === 'float32' ? new Float32Array(array) : new Float64Array(array),
      shape,
    );
  }
  if (!Array.isArray(rows)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        what,
        'a tensor, an array of rows or a typed array',
        typeof rows,
        'convert the data first',
      ),
    );
  }
  const nested = rows.length > 0 && typeof rows[0] === 'object';
  const count = nested ? rows.length : rows.length / features;
  if (!Number.isInteger(count))
    throw shapeError(where, what, features, `an array of ${rows.length} numbers`);
  const values = typedArray(dtype, count * features);
  for (let r = 0; r < count; r++) {
    const row = nested ? (rows[r] as ArrayLike<number>) : null;
    if (nested && row?.length !== features)
      throw shapeError(where, what, features, `${row?.length} in row ${r}`);
    for (let c = 0; c < features; c++) {
      const value: unknown = row ? row[c] : rows[r * features + c];
      if (typeof value !== 'number') {
        throw new FlowError(
          'DATA',
          expected(
            where,
            what,
            'numbers',
            `${typeof value} in row ${r}, column ${c}`,
            'convert the cell',
          ),
        );
      }
      values[r * features + c] = value;
    }
  }
  return tensorOfArray(values, [count, features]);
}
