/** A data set in native memory: checked once, held once, read by rows. */
import { expected, FlowError } from '../errors';
import type { DensityModel } from '../flows/density';
import { cast, checkFinite, gatherRows, type RandomStream, rowsView } from '../ops';
import { isTable, type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';

export interface BatchRows {
  /** [B, D] of the model's type, dequantised. */
  readonly x: Tensor;
  readonly context: Tensor | null;
}

export class RowSet {
  readonly rows: number;
  readonly #model: DensityModel;
  readonly #x: Tensor;
  readonly #context: Tensor | null;
  /** Whether rows get noise (where the model dequantises). */
  readonly #integer: boolean;

  /**
   * @param where the function that the user called, for errors
   * @throws FlowError SHAPE when the columns do not fit the model or the context the rows; DATA for no rows, and for a
   *   value that is not finite, with its row and column
   */
  constructor(
    where: string,
    what: string,
    model: DensityModel,
    rows: Rows,
    context: Rows | null = null,
  ) {
    this.#model = model;
    this.#x = held(where, what, model, rows, model.features);
    try {
      this.rows = this.#x.rows;
      this.#integer = this.#x.dtype === 'uint8' || this.#x.dtype === 'int32';
      if (this.rows === 0) {
        throw new FlowError(
          'DATA',
          expected(where, what, 'at least one row', 'none', 'pass data to learn from'),
        );
      }
      this.#context = heldContext(where, `context of ${what}`, model, context, this.rows);
    } catch (error) {
      this.#x.dispose();
      throw error;
    }
  }

  /** Whether what `batch` gives depends on the stream. */
  get integer(): boolean {
    return this.#integer;
  }

  /** The rows that `indices` (int32 [B]) name. */
  batch(indices: Tensor, stream: RandomStream): BatchRows {
    const rows = gatherRows(this.#x, indices, { dtype: this.#model.dtype });
    return {
      x: this.#integer ? this.#model.dequantize(rows, stream) : rows,
      context: this.contextOf(indices),
    };
  }

  /** The context of the rows that `indices` name. */
  contextOf(indices: Tensor): Tensor | null {
    const { dtype } = this.#model;
    return this.#context ? gatherRows(this.#context, indices, { dtype }) : null;
  }

  /** The rows [start, end). */
  range(start: number, end: number, stream: RandomStream): BatchRows {
    const rows = rowsView(this.#x, start, end);
    return {
      x: this.#integer ? this.#model.dequantize(rows, stream) : cast(rows, this.#model.dtype),
      context: this.#context ? rowsView(this.#context, start, end) : null,
    };
  }

  /** The context of all rows, in the model's type. */
  get context(): Tensor | null {
    return this.#context;
  }

  dispose(): void {
    this.#x.dispose();
    this.#context?.dispose();
  }
}

/** The rows as a tensor with a claim of its own: integers as they are, floats in the model's type. */
function held(
  where: string,
  what: string,
  model: DensityModel,
  rows: Rows,
  features: number,
): Tensor {
  const given = rowsTensor(where, what, rows, features, model.dtype);
  const integer = given.dtype === 'uint8' || given.dtype === 'int32';
  let own: Tensor;
  if (!integer && given.dtype !== model.dtype) {
    own = scope(() => cast(given, model.dtype).alias());
  } else own = given.alias();
  if (!(rows instanceof Tensor)) given.dispose();
  if (!integer) {
    try {
      requireFinite(where, what, own, rows);
    } catch (error) {
      own.dispose();
      throw error;
    }
  }
  return own;
}

function heldContext(
  where: string,
  what: string,
  model: DensityModel,
  context: Rows | null,
  rows: number,
): Tensor | null {
  if (model.contextFeatures === 0) {
    if (context === null) return null;
    throw new FlowError(
      'ARGUMENT',
      expected(where, what, 'none', 'one', 'build the model with contextFeatures'),
    );
  }
  if (context === null) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        what,
        `rows of ${model.contextFeatures} numbers`,
        'none',
        'the model is conditional: pass one row of context a row of data',
      ),
    );
  }
  const tensor = held(where, what, model, context, model.contextFeatures);
  if (tensor.rows === rows) {
    if (tensor.dtype === model.dtype) return tensor;
    const floats = scope(() => cast(tensor, model.dtype).alias());
    tensor.dispose();
    return floats;
  }
  const got = String(tensor.rows);
  tensor.dispose();
  throw new FlowError(
    'SHAPE',
    expected(where, what, `${rows} rows`, got, 'pass one row of context a row of data'),
  );
}

/** Looks once at every value, natively; only when one is bad are rows searched for it. */
function requireFinite(where: string, what: string, tensor: Tensor, source: Rows): void {
  if (tensor.size === 0 || scope(() => checkFinite([tensor]).item()) < 0) return;
  const step = 4096;
  for (let start = 0; start < tensor.rows; start += step) {
    const end = Math.min(tensor.rows, start + step);
    const values = scope(() => rowsView(tensor, start, end).dataSync());
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    const row = start + Math.floor(at / tensor.cols);
    const column = at % tensor.cols;
    const { columns, source: file } = isTable(source) ? source : {};
    const name = columns?.[column];
    const label = name === undefined ? `column ${column}` : `column ${JSON.stringify(name)}`;
    throw new FlowError(
      'DATA',
      expected(
        where,
        `${file ?? what}, row ${row} (counted from 0), ${label}`,
        'a finite number',
        String(values[at]),
        'correct it, or leave out the row',
      ),
    );
  }
}
