/** How an op is declared: its shape rule, its attributes and its gradient in one place. */
import { isTracked, record } from '../autograd/tape';
import { execute, type OutputSpec, requireOperands } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';

/** What a vjp works with. Only what the op declared in `saves` is there. */
export interface VjpContext<A> {
  /** Saved inputs, in the order of `saves.inputs`; null where the caller left the input out. */
  readonly inputs: readonly (Tensor | null)[];
  /** Saved outputs, in the order of `saves.outputs`. */
  readonly outputs: readonly Tensor[];
  /** Gradient of the loss by each output; null where it is zero. */
  readonly d: readonly (Tensor | null)[];
  /** Which inputs want a gradient. */
  readonly needs: readonly boolean[];
  readonly attributes: A;
}

export interface OpDefinition<A> {
  /** The native name: native/ops/<name>.cc. */
  readonly name: string;
  /** Checks the inputs and says what comes out; null: an output that is left out, and not counted anywhere else. */
  outputs(inputs: readonly (Tensor | null)[], attributes: A): readonly (OutputSpec | null)[];
  /** The attributes as the native op reads them. */
  encode?(attributes: A): readonly number[];
  /** What the vjp reads: positions of inputs and outputs. Nothing else is kept in memory for it. */
  readonly saves: { readonly inputs: readonly number[]; readonly outputs: readonly number[] };
  /** Gradient by each input (null: zero or not wanted). Made of ops, it can be differentiated again. */
  vjp(context: VjpContext<A>): readonly (Tensor | null)[];
}

/** Runs an op and records it where a tape is open. */
export function apply<A>(
  op: OpDefinition<A>,
  inputs: readonly (Tensor | null)[],
  attributes: A,
): Tensor[] {
  requireOperands(op.name, inputs);
  const outputs = execute(
    op.name,
    inputs,
    op.outputs(inputs, attributes),
    op.encode?.(attributes) ?? [],
  );
  if (isTracked(inputs)) {
    const wanted = op.saves.inputs.map((i) => inputs[i] ?? null);
    const isPresent = wanted.map((tensor) => tensor !== null);
    const present = wanted.filter((tensor) => tensor !== null);
    const savedOutputs = op.saves.outputs.map((i) => outputs[i] as Tensor);
    record(op.name, inputs, outputs, [...present, ...savedOutputs], (saved, d, needs) => {
      let next = 0;
      const savedInputs = isPresent.map((is) => (is ? (saved[next++] as Tensor) : null));
      return op.vjp({ inputs: savedInputs, outputs: saved.slice(next), d, needs, attributes });
    });
  }
  return outputs;
}
