/** Widths of the layers of a network: what is asked of those that a user gives. */
import { expected, FlowError } from '../errors';

/**
 * @param sizes by the names of their options
 * @throws FlowError ARGUMENT unless all are whole numbers of at least 1, and `hidden` a list of such
 */
export function requireWidths(
  where: string,
  sizes: Readonly<Record<string, number>>,
  hidden: readonly number[],
): void {
  const remedy = 'pass the width of the layer';
  const wrong = (name: string, expectation: string, got: string, what: string): never => {
    throw new FlowError('ARGUMENT', expected(where, name, expectation, got, what));
  };
  if (!Array.isArray(hidden)) {
    wrong('hidden', 'a list of widths', typeof hidden, 'pass one number a hidden layer: [64, 64]');
  }
  const widths = hidden.map((units, k): [string, number] => [`hidden[${k}]`, units]);
  for (const [name, size] of [...Object.entries(sizes), ...widths]) {
    if (!Number.isSafeInteger(size) || size < 1) {
      wrong(name, 'a whole number ≥ 1', String(size), remedy);
    }
  }
}
