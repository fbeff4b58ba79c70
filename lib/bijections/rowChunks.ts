/** A whole data set through a map, a piece at a time. */
import { copyInto, rowsView } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** Rows that go through a map at once: activations stay small, and a caller can pause between two pieces. */
const mostRows = 512;
/** Images have fewer rows at once: a row of them has a hundred hidden channels at each position. */
const mostNumbers = 1 << 18;

/** Shows `rows` [N, D] to a visitor piece by piece, with their context. Yields after each piece. */
export function* visitRows(
  rows: Tensor,
  context: Tensor | null,
  visit: (part: Tensor, context: Tensor | null) => void,
): Generator<void, void> {
  const chunkRows = Math.min(mostRows, Math.max(16, Math.floor(mostNumbers / rows.cols)));
  for (let first = 0; first < rows.rows; first += chunkRows) {
    const last = Math.min(rows.rows, first + chunkRows);
    scope(() =>
      visit(rowsView(rows, first, last), context ? rowsView(context, first, last) : null),
    );
    yield;
  }
}

/** Overwrites `rows` [N, D] piece by piece with their image [N, D]. Yields after each piece. */
export function* mapRowsInPlace(
  rows: Tensor,
  context: Tensor | null,
  map: (part: Tensor, context: Tensor | null) => Tensor,
): Generator<void, void> {
  yield* visitRows(rows, context, (part, itsContext) => copyInto(part, map(part, itsContext)));
}
