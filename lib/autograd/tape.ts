/** The tape: what must be remembered of a computation so that it can be run backwards. */
import type { Tensor } from '../tensor/tensor';

/**
 * The vector-Jacobian product of an entry.
 *
 * @param saved what the entry saved, in the order given to {@link record}
 * @param dOutputs gradient of the loss by each output; null where it is zero
 * @param needs which inputs want a gradient: the others' need not be computed
 * @param soFar takes over the gradient by an input that other uses of it have given already, or null: what is returned for
 *   this input must then include it, which spares the sum of the two
 * @returns gradient by each input; null for zero or unwanted
 */
export type Vjp = (
  saved: readonly Tensor[],
  dOutputs: readonly (Tensor | null)[],
  needs: readonly boolean[],
  soFar: (input: number) => Tensor | null,
) => readonly (Tensor | null)[];

export interface Entry {
  readonly name: string;
  /** Ids of the inputs; 0 where the input is not tracked. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly saved: readonly Tensor[];
  readonly vjp: Vjp;
}

export class Tape {
  readonly entries: Entry[] = [];
  readonly #tracked = new Set<number>();

  watch(tensor: Tensor): void {
    this.#tracked.add(tensor.id);
  }

  tracks(tensor: Tensor | null): boolean {
    return tensor !== null && this.#tracked.has(tensor.id);
  }

  push(entry: Entry): void {
    this.entries.push(entry);
    for (const id of entry.outputs) this.#tracked.add(id);
  }

  /** Frees what the entries saved; for a tape that is not run backwards to its end. */
  release(): void {
    for (const entry of this.entries) for (const tensor of entry.saved) tensor.dispose();
    this.entries.length = 0;
  }
}

/** Open tapes, innermost last. A nested tape's backward pass is itself recorded by the outer ones. */
const open: Tape[] = [];

export function pushTape(tape: Tape): void {
  open.push(tape);
}

export function popTape(tape: Tape): void {
  if (open.pop() !== tape)
    throw new Error('[tape] tapes must be closed in the order in which they were opened');
}

/** Whether an op on these inputs must be recorded. */
export function isTracked(inputs: readonly (Tensor | null)[]): boolean {
  for (const tape of open) for (const input of inputs) if (tape.tracks(input)) return true;
  return false;
}

/**
 * Records a computation on every open tape that tracks one of its inputs.
 * Whatever the vjp reads must be in `saved`: the tape keeps claims of its own on these tensors.
 */
export function record(
  name: string,
  inputs: readonly (Tensor | null)[],
  outputs: readonly Tensor[],
  saved: readonly Tensor[],
  vjp: Vjp,
): void {
  for (const tape of open) {
    if (!inputs.some((input) => tape.tracks(input))) continue;
    tape.push({
      name,
      inputs: inputs.map((input) => (tape.tracks(input) ? (input as Tensor).id : 0)),
      outputs: outputs.map((output) => output.id),
      saved: saved.map((tensor) => tensor.alias()),
      vjp,
    });
  }
}

/** The tapes that are open at the moment, innermost last: the list itself, which changes as they do. */
export function openTapes(): readonly Tape[] {
  return open;
}

/** Runs `body` on these tapes and no others. */
export function onTapes<T>(tapes: readonly Tape[], body: () => T): T {
  const hidden = open.splice(0, open.length, ...tapes);
  try {
    return body();
  } finally {
    open.splice(0, open.length, ...hidden);
  }
}

/** Runs `body` with no tape: nothing in it is differentiated. */
export function withoutTape<T>(body: () => T): T {
  return onTapes([], body);
}
