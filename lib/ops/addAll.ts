/** The sum of any number of tensors of one shape. */
import { expected, FlowError } from '../errors';
import { formatShape, sameShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireTensors } from './check';
import { apply, type OpDefinition } from './define';

/** What one instruction takes; native/ops/accumulate.cc. */
const most = 32;

const definition: OpDefinition<null> = {
  name: 'accumulate',
  outputs([like]) {
    const { shape, dtype } = like as Tensor;
    return [{ shape, dtype }];
  },
  saves: { inputs: [], outputs: [] },
  vjp: ({ d: [d], needs }) => needs.map(() => d ?? null),
};

/**
 * The sum of tensors of one shape and type, in their order; of one tensor itself. Differentiable any number of times.
 *
 * @param terms at least one, float32 or float64
 * @throws FlowError ARGUMENT, SHAPE, DTYPE
 */
export function addAll(terms: readonly Tensor[]): Tensor {
  requireTensors('addAll', 'terms', terms);
  const [first, ...others] = terms;
  if (first === undefined) {
    throw new FlowError(
      'ARGUMENT',
      expected('addAll', 'terms', 'one tensor or more', 'none', 'pass what is to be added'),
    );
  }
  requireFloat('addAll', 'term 0', first);
  others.forEach((term, k) => {
    requireSameDType('addAll', `term ${k + 1}`, term, first);
    if (!sameShape(term.shape, first.shape)) {
      const [wanted, got] = [formatShape(first.shape), formatShape(term.shape)];
      throw new FlowError(
        'SHAPE',
        expected('addAll', `term ${k + 1}`, `shape ${wanted}`, got, 'use add() to broadcast'),
      );
    }
  });
  let sum = first;
  for (let k = 0; k < others.length; k += most - 1) {
    const [made] = apply(definition, [sum, ...others.slice(k, k + most - 1)], null);
    sum = made as Tensor;
  }
  return sum;
}
