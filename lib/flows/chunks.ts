/** Many rows through a model a piece at a time, so that memory does not grow with the data. */
import { isTracked } from '../autograd/tape';
import { concatRows, rowsView } from '../ops';
import { scope } from '../tensor/scope';
import { isRecording, type Tensor } from '../tensor/tensor';

/** Rows that go through a model at once; fewer where they are long: an image has hidden channels at each position. */
const mostRows = 4096;
const mostNumbers = 1 << 19;

/**
 * Applies `map` to pieces of the rows (and of the context, if there is one) and puts the results together. Under a tape
 * or in a recorded program the rows stay in one piece.
 */
export function inChunks(
  rows: Tensor,
  context: Tensor | null,
  map: (rows: Tensor, context: Tensor | null) => Tensor,
): Tensor {
  const [result] = allInChunks(rows, context, (part, itsContext) => [map(part, itsContext)]);
  return result as Tensor;
}

/** {@link inChunks} for a map that gives several tensors, as many for each piece. */
export function allInChunks(
  rows: Tensor,
  context: Tensor | null,
  map: (rows: Tensor, context: Tensor | null) => readonly Tensor[],
): readonly Tensor[] {
  const chunkRows = Math.min(mostRows, Math.max(64, Math.floor(mostNumbers / rows.cols)));
  const whole = isTracked([rows, context]) || isRecording();
  return inPieces(rows, context, whole ? rows.rows : chunkRows, map);
}

/** Pieces of at most so many rows, one after the other, and their results put together. */
export function inPieces(
  rows: Tensor,
  context: Tensor | null,
  most: number,
  map: (rows: Tensor, context: Tensor | null) => readonly Tensor[],
): readonly Tensor[] {
  if (rows.rows <= most) return map(rows, context);
  const size = Math.max(1, most);
  return scope(() => {
    const parts: (readonly Tensor[])[] = [];
    for (let first = 0; first < rows.rows; first += size) {
      const last = Math.min(rows.rows, first + size);
      parts.push(
        scope(() =>
          map(rowsView(rows, first, last), context ? rowsView(context, first, last) : null),
        ),
      );
    }
    return (parts[0] ?? []).map((_, k) => concatRows(parts.map((part) => part[k] as Tensor)));
  });
}
