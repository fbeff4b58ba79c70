/** Gradients: forward under a tape, then the tape backwards. */
import { expected, FlowError } from '../errors';
import { callback, checkArgument, list, one } from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import { Tensor, tensorOfArray } from '../tensor/tensor';
import { isTracked, popTape, pushTape, record, Tape } from './tape';

/** a + b for gradients that arrive from two uses of a tensor; differentiable, so that gradients have gradients. */
function accumulate(a: Tensor, b: Tensor): Tensor {
  const [sum] = execute('accumulate', [a, b], [{ shape: a.shape, dtype: a.dtype }]) as [Tensor];
  if (isTracked([a, b]))
    record('accumulate', [a, b], [sum], [], (_saved, [d]) => [d ?? null, d ?? null]);
  return sum;
}

/**
 * Runs the entries in reverse. Frees what each saved as it goes.
 *
 * @param gradients aliases of the gradients to begin with, by the ids of the outputs; taken over
 * @returns the gradients of the leaves by their ids, as aliases; others may be among them
 */
function backward(
  tape: Tape,
  gradients: Map<number, Tensor>,
  leaves: ReadonlySet<number>,
): Map<number, Tensor> {
  try {
    for (let i = tape.entries.length - 1; i >= 0; i--) {
      const entry = tape.entries[i] as (typeof tape.entries)[number];
      const dOutputs = entry.outputs.map((id) => gradients.get(id) ?? null);
      if (dOutputs.some((d) => d !== null)) {
        // The aliases live on when the scope frees what the vjp made.
        scope(() => {
          const needs = entry.inputs.map((id) => id !== 0);
          const taken = new Map<number, number>(); // the ids of gradients that were taken over, by their inputs
          const dInputs = entry.vjp(entry.saved, dOutputs, needs, (k) => {
            const id = entry.inputs[k] ?? 0;
            const before = gradients.get(id);
            // One that is itself differentiated is added in the open.
            if (!before || [...taken.values()].includes(id) || isTracked([before])) return null;
            taken.set(k, id);
            return before;
          });
          const collect = (id: number, k: number, includes: boolean) => {
            const d = dInputs[k];
            if (id === 0 || !d) return;
            const before = gradients.get(id);
            gradients.set(id, (before && !includes ? accumulate(before, d) : d).alias());
            before?.dispose();
          };
          for (const [k, id] of taken) collect(id, k, true);
          entry.inputs.forEach((id, k) => {
            if (!taken.has(k)) collect(id, k, false);
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

/** 1 of the loss's own type and shape, as an alias. */
function unit(loss: Tensor): Tensor {
  return scope(() => {
    const one = loss.dtype === 'float64' ? Float64Array.of(1) : Float32Array.of(1);
    return tensorOfArray(one, loss.shape).alias();
  });
}

/** Runs `body` under the tape; what it leaves behind are aliases of its outputs and what the tape saved. */
function onTape<T>(tape: Tape, body: () => T): T {
  pushTape(tape);
  try {
    return scope(body);
  } catch (error) {
    tape.release();
    throw error;
  } finally {
    popTape(tape);
  }
}

/** Picks the gradients of `by` out of what backward found, and hands them to the open scope. */
function gradientsOf(found: Map<number, Tensor>, by: readonly Tensor[]): (Tensor | null)[] {
  const wanted = by.map((tensor) => {
    const gradient = found.get(tensor.id);
    gradient?.adopt();
    return gradient ?? null;
  });
  const ids = new Set(by.map((tensor) => tensor.id));
  for (const [id, gradient] of found) if (!ids.has(id)) gradient.dispose();
  return wanted;
}

const aTensor = one('a tensor', () => Tensor);

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
  checkArgument('valueAndGradient', 'body', body, callback);
  checkArgument('valueAndGradient', 'by', by, list);
  for (const [k, tensor] of by.entries())
    checkArgument(
      'valueAndGradient',
      `by[${k}]`,
      tensor,
      one('a tensor', () => Tensor),
    );
  return scope(() => {
    const tape = new Tape();
    for (const tensor of by) tape.watch(tensor);
    const loss = onTape(tape, () => {
      const made: unknown = body();
      checkArgument('valueAndGradient', 'what body gives', made, aTensor);
      return (made as Tensor).alias();
    });
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
      const leaves = new Set(by.map((tensor) => tensor.id));
      const found = backward(tape, new Map([[loss.id, unit(loss)]]), leaves);
      const gradients = gradientsOf(found, by);
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

/**
 * The vector-Jacobian product of a computation with several outputs, whose leaves may come into being in it.
 *
 * @param body makes the outputs; calls `watch` for each leaf before it is used, and names in `by` what to differentiate by
 * @param dOutputs gradient of a loss by each output; null where it is zero
 * @returns `by`, and the gradient by each of them (null: zero)
 */
export function pullback(
  body: (watch: (leaf: Tensor) => void) => {
    readonly outputs: readonly Tensor[];
    readonly by: readonly Tensor[];
  },
  dOutputs: readonly (Tensor | null)[],
): { by: readonly Tensor[]; gradients: (Tensor | null)[] } {
  return scope(() => {
    const tape = new Tape();
    const { outputs, by } = onTape(tape, () => {
      const made = body((leaf) => tape.watch(leaf));
      return { outputs: made.outputs.map((output) => output.id), by: made.by };
    });
    try {
      const seeds = new Map<number, Tensor>();
      outputs.forEach((id, k) => {
        const d = dOutputs[k];
        if (d) seeds.set(id, d.alias());
      });
      const found = backward(tape, seeds, new Set(by.map((tensor) => tensor.id)));
      return { by, gradients: gradientsOf(found, by) };
    } finally {
      tape.release();
    }
  });
}
