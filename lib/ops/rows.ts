/** Ranges of rows without a copy, and rows below each other. Not differentiable: for taking data apart. */
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import { emptyTensor, type Tensor } from '../tensor/tensor';
import { requireTensor, requireTensors } from './check';

/**
 * The rows [start, end) of x as a view: it shares the memory of x.
 *
 * @param x [N, C] or, for a range of numbers, [N]
 * @throws FlowError SHAPE unless 0 ≤ start ≤ end ≤ N
 */
export function rowsView(x: Tensor, start: number, end: number): Tensor {
  requireTensor('rowsView', 'x', x);
  const [rows] = x.shape;
  if (
    rows === undefined ||
    !Number.isInteger(start) ||
    !Number.isInteger(end) ||
    start < 0 ||
    end < start ||
    end > rows
  ) {
    throw new FlowError(
      'SHAPE',
      expected(
        'rowsView',
        'range',
        `0 ≤ start ≤ end ≤ ${rows}, the rows of ${formatShape(x.shape)}`,
        `${start} to ${end}`,
        'check the bounds',
      ),
    );
  }
  const stride = x.shape.length === 1 ? 1 : x.rowStride;
  return x.view(
    [end - start, ...x.shape.slice(1)],
    x.offset + start * stride,
    x.shape.length === 1 ? end - start : x.rowStride,
  );
}

/**
 * Tensors of the same type and width below each other.
 *
 * @param parts [N_k, C] each, or [N_k] each
 * @returns [Σ N_k, C] or [Σ N_k]
 */
export function concatRows(parts: readonly Tensor[]): Tensor {
  requireTensors('concatRows', 'parts', parts);
  const first = parts[0];
  if (first === undefined) {
    throw new FlowError(
      'ARGUMENT',
      expected('concatRows', 'parts', 'at least one tensor', 'none', 'pass the parts'),
    );
  }
  let rows = 0;
  for (const part of parts) rows += part.shape[0] ?? 0;
  const result = emptyTensor([rows, ...first.shape.slice(1)], first.dtype);
  let start = 0;
  for (const part of parts) {
    const end = start + (part.shape[0] ?? 0);
    const into = rowsView(result, start, end);
    execute('copy', [part], [into]);
    into.dispose();
    start = end;
  }
  return result;
}

/** Overwrites `target` with the values of `source`, of the same shape; types are converted. Not differentiable. */
export function copyInto(target: Tensor, source: Tensor): void {
  requireTensor('copyInto', 'target', target);
  requireTensor('copyInto', 'source', source);
  execute('copy', [source], [target]);
}
