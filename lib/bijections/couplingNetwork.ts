/** What couplings do alike with their networks. */
import type { Conditioner } from '../nn/conditioner';
import type { Tensor } from '../tensor/tensor';
import { visitRows } from './rowChunks';

/**
 * Layers of the network that take their first values from data.
 *
 * @param seen what the network reads of a piece of the rows, and its context
 */
export function* initializeNetwork(
  network: Conditioner,
  rows: Tensor,
  context: Tensor | null,
  seen: (rows: Tensor, context: Tensor | null) => readonly [Tensor, Tensor | null],
): Generator<void, void> {
  if (!network.initializes) return;
  yield* network.initialize((visit) =>
    visitRows(rows, context, (part, itsContext) => visit(...seen(part, itsContext))),
  );
}
