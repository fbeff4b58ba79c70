/** Copies of a set of tensors, held in native memory. */
import type { DType } from '../dtype';
import { copyInto } from '../ops';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
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

/** Tensors of one type that are copied by one instruction. */
interface Pool {
  /** [1, …]: the copies side by side. */
  readonly copies: Tensor;
  readonly originals: Tensor[];
}

/** As many operands as the instruction takes. */
const mostInPool = 1024;

/**
 * Copies of many small tensors, which are taken often and given back seldom: an instruction a type, where a Snapshot takes one a tensor.
 * On a GPU each is a launch.
 */
export class Guard {
  readonly #pools: readonly Pool[];

  /** Takes the first copy at once. */
  constructor(originals: Iterable<Tensor>) {
    const groups = new Map<DType, Tensor[][]>();
    for (const original of originals) {
      if (original.size === 0) continue;
      const own = groups.get(original.dtype) ?? [];
      groups.set(original.dtype, own);
      if ((own.at(-1)?.length ?? mostInPool) === mostInPool) own.push([]);
      own.at(-1)?.push(original);
    }
    this.#pools = [...groups].flatMap(([dtype, parts]) =>
      parts.map((own) => ({
        copies: emptyTensor([1, own.reduce((total, { size }) => total + size, 0)], dtype),
        originals: own,
      })),
    );
    this.capture();
  }

  /** Copies ← originals. Instructions only: may be part of a program. */
  capture(): void {
    scope(() => {
      for (const { copies, originals } of this.#pools) {
        const rows = originals.map((each) => each.view([1, each.size]));
        execute('concat_columns', rows, [copies]);
      }
    });
  }

  /** Originals ← copies. */
  restore(): void {
    scope(() => {
      for (const { copies, originals } of this.#pools) {
        let start = copies.offset;
        for (const original of originals) {
          copyInto(original, copies.view(original.shape, start));
          start += original.size;
        }
      }
    });
  }

  dispose(): void {
    for (const { copies } of this.#pools) copies.dispose();
  }
}
