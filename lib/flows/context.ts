/** The context that a user passes, as the rows that a model takes. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { cast, expand } from '../ops';
import { type Rows, rowsTensor } from '../tensor/input';
import type { Tensor } from '../tensor/tensor';

/** What takes a context. */
export interface Conditional {
  /** Columns of the context; 0: none is taken. */
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
}

/**
 * The context as a tensor [rows, contextFeatures]; a single row is repeated. Null for models that take none.
 *
 * @throws FlowError ARGUMENT where there is one but should not be, or the other way round; SHAPE
 */
export function contextRows(
  where: string,
  model: Conditional,
  context: Rows | null,
  rows: number,
): Tensor | null {
  const { contextFeatures, dtype } = model;
  if (contextFeatures === 0) {
    if (context === null) return null;
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'context', 'none', 'one', 'build the model with contextFeatures'),
    );
  }
  if (context === null) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'context',
        `rows of ${contextFeatures} numbers`,
        'none',
        'the model is conditional: pass a context',
      ),
    );
  }
  const tensor = cast(rowsTensor(where, 'context', context, contextFeatures, dtype), dtype);
  if (tensor.rows === rows) return tensor;
  if (tensor.rows === 1) return expand(tensor, [rows, contextFeatures]);
  throw new FlowError(
    'SHAPE',
    expected(
      where,
      'context',
      `1 or ${rows} rows`,
      String(tensor.rows),
      'pass one row a sample, or one for all',
    ),
  );
}
