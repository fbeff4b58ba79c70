/** Copies of a set of tensors, held in native memory. */
import { copyInto } from '../ops';
import { emptyTensor, type Tensor } from '../tensor/tensor';

export class Snapshot {
  readonly #pairs: readonly { name: string; original: Tensor; copy: Tensor }[];

  /** Takes the first copy at once. */
  constructor(originals: ReadonlyMap<string, Tensor>) {
    this.#pairs = [...originals].map(([name, original]) => ({
      name,
      original,
      copy: emptyTensor(original.shape, original.dtype),
    }));
    this.capture();
  }

  /** The copies by the names of their originals. */
  get copies(): Map<string, Tensor> {
    return new Map(this.#pairs.map(({ name, copy }) => [name, copy]));
  }

  /** Copies ← originals. Instructions only: may be part of a program. */
  capture(): void {
    for (const { original, copy } of this.#pairs) if (original.size > 0) copyInto(copy, original);
  }

  /** Originals ← copies. */
  restore(): void {
    for (const { original, copy } of this.#pairs) if (original.size > 0) copyInto(original, copy);
  }

  dispose(): void {
    for (const { copy } of this.#pairs) copy.dispose();
  }
}
