/** Gradients of a scalar: forward under a tape, then the tape backwards. */
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { isTracked, popTape, pushTape, record, Tape } from './tape';

/** a + b for gradients that arrive from two uses of a tensor; differentiable, so that gradients have gradients. */
function accumulate(a: Tensor, b: Tensor): Tensor {
  const [sum] = execute('accumulate', [a, b], [{ shape: a.shape, dtype: a.dtype }]) as [Tensor];
  if (isTracked([a, b]))
    record('accumulate', [a, b], [sum], [], (_saved, [d]) => [d ?? null, d ?? null]);
  return sum;
}

/** Runs the entries in reverse. Frees what each saved as it goes. Returns the gradient by each tracked leaf's id. */
function backward(tape: Tape, loss: Tensor, leaves: ReadonlySet<number>): Map<number, Tensor> {
  const seed = scope(() => {
    const one = loss.dtype === 'float64' ? Float64Array.of(1) : Float32Array.of(1);
    return tensorOfArray(one, loss.shape).alias();
  });
  const gradients = new Map<number, Tensor>([[loss.id, seed]]);
  try {
    for (let i = tape.entries.length - 1; i >= 0; i--) {
      const entry = tape.entries[i] as (typeof tape.entries)[number];
      const dOutputs = entry.outputs.map((id) => gradients.get(id) ?? null);
      if (dOutputs.some((d) => d !== null)) {
        // The aliases live on when the scope frees what the vjp made.
        scope(() => {
          const needs = entry.inputs.map((id) => id !== 0);
          const dInputs = entry.vjp(entry.saved, dOutputs, needs);
          entry.inputs.forEach((id, k) => {
            const d = dInputs[k];
            if (id === 0 || !d) return;
            const before = gradients.get(id);
            gradients.set(id, (before ? accumulate(before, d) : d).alias());
            before?.dispose();
          });
        });
      }
      for (const tensor of entry.saved) tensor.dispose();
      tape.entries.pop();
      entry.outputs.forEach((id, k) => {
        if (leaves.has(id)) return;
        dOutputs[k]?.dispose();
        gradients.delete(id);
      });
    }
  } catch (error) {
    for (const gradient of gradients.values()) gradient.dispose();
    throw error;
  }
  return gradients;
}

/**
 * The value of a scalar function and its gradient by some tensors.
 *
 * @param body makes the scalar (a tensor of one element) out of `by` by ops; synchronous
 * @param by tensors to differentiate by
 * @returns `value`, and `gradients` in the order of `by`, each of its tensor's shape and dtype; null where the value
 *   does not depend on the tensor
 * @throws FlowError SHAPE when the body does not return one element
 */
export function valueAndGradient(
  body: () => Tensor,
  by: readonly Tensor[],
): { value: Tensor; gradients: (Tensor | null)[] } {
  return scope(() => {
    const tape = new Tape();
    for (const tensor of by) tape.watch(tensor);
    let loss: Tensor | undefined;
    pushTape(tape);
    try {
      // Only what the tape saved survives the forward pass.
      loss = scope(() => body().alias());
    } catch (error) {
      tape.release();
      throw error;
    } finally {
      popTape(tape);
    }
    try {
      if (loss.size !== 1) {
        throw new FlowError(
          'SHAPE',
          expected(
            'valueAndGradient',
            'value',
            'one element',
            formatShape(loss.shape),
            'reduce it, for instance with mean()',
          ),
        );
      }
      const found = backward(tape, loss, new Set(by.map((tensor) => tensor.id)));
      const gradients = by.map((tensor) => {
        const gradient = found.get(tensor.id);
        gradient?.adopt();
        return gradient ?? null;
      });
      for (const [id, gradient] of found)
        if (!by.some((tensor) => tensor.id === id)) gradient.dispose();
      loss.adopt();
      return { value: loss, gradients };
    } catch (error) {
      loss.dispose();
      throw error;
    } finally {
      tape.release();
    }
  });
}
