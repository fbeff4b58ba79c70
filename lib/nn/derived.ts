/**
 * Derived weights: what a module makes of its parameters alone, before it sees a row: the matrix of its triangles, weights times their
 * scales. Inside of a call of a model those of all its modules are made together, in one instruction and on a GPU in one launch, the
 * first time that any of them is asked for; and so are their gradients. docs/adr/0010-derived-weights.md says why.
 */
import { isTracked, onTapes, openTapes, type Tape } from '../autograd/tape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** A kind of derived weights. */
export interface Derivation<S, T extends readonly Tensor[] = readonly Tensor[]> {
  /** The parameters that are read. */
  parameters(source: S): readonly Tensor[];
  /** The tensors of each source, in one instruction; sources of one dtype. */
  make(sources: readonly S[]): readonly T[];
}

/** How many a single instruction makes: its words are limited. */
const mostTogether = 256;

/** The derived weights of one kind and one module. */
export class Derived<S = unknown, T extends readonly Tensor[] = readonly Tensor[]> {
  readonly #read: () => S;
  #source: S | null = null;
  #parameters: readonly Tensor[] | null = null;

  /** @param read the module's parameters, the same tensors at each call; called when they are first needed */
  constructor(
    readonly kind: Derivation<S, T>,
    read: () => S,
  ) {
    this.#read = read;
  }

  get source(): S {
    this.#source ??= this.#read();
    return this.#source;
  }

  get parameters(): readonly Tensor[] {
    this.#parameters ??= this.kind.parameters(this.source);
    return this.#parameters;
  }

  /** Theirs for this call: of the household that the module stands in, or made now. */
  tensors(): T {
    for (const household of open) {
      const found = household.find(this as unknown as Derived);
      if (found) return found as T;
    }
    return this.kind.make([this.source])[0] as T;
  }
}

/** What the modules of a tree derive. */
export class Members {
  readonly #known: ReadonlySet<Derived>;
  readonly #byKind = new Map<Derived['kind'], Derived[]>();

  constructor(readonly all: readonly Derived[]) {
    this.#known = new Set(all);
    for (const derived of this.#known) {
      const alike = this.#byKind.get(derived.kind);
      if (alike) alike.push(derived);
      else this.#byKind.set(derived.kind, [derived]);
    }
  }

  has(derived: Derived): boolean {
    return this.#known.has(derived);
  }

  /** Those of the same kind, each once. */
  like({ kind }: Derived): readonly Derived[] {
    return this.#byKind.get(kind) ?? [];
  }
}

/** Households that are open, outermost first. */
const open: Household[] = [];

/** The derived weights of a model, made when they are first asked for and kept until the call ends. */
class Household {
  readonly #members: () => Members;
  /** Where they are made, so that they are on the tape however deep they are first asked for. */
  readonly #tapes: readonly Tape[] = [...openTapes()];
  readonly #made: Map<Derived, readonly Tensor[]>;

  /** @param made aliases of what is there already; taken over */
  constructor(members: () => Members, made = new Map<Derived, readonly Tensor[]>()) {
    this.#members = members;
    this.#made = made;
  }

  find(derived: Derived): readonly Tensor[] | null {
    const there = this.#made.get(derived);
    if (!there && !this.#canMake(derived)) return null;
    const tensors = there ?? this.#makeAll(derived);
    if (openTapes().length === 0) return tensors;
    const { parameters } = derived;
    // A tape that knows the parameters only would not see that they are used.
    const stand = openTapes().every(
      (tape) =>
        !parameters.some((parameter) => tape.tracks(parameter)) ||
        tensors.every((tensor) => tape.tracks(tensor)),
    );
    return stand ? tensors : null;
  }

  /** What was made of these so far, and is on a tape. */
  tracked(derived: readonly Derived[]): Map<Derived, readonly Tensor[]> {
    const found = new Map<Derived, readonly Tensor[]>();
    for (const one of derived) {
      const tensors = this.#made.get(one);
      if (tensors && isTracked(tensors)) found.set(one, tensors);
    }
    return found;
  }

  dispose(): void {
    for (const tensors of this.#made.values()) for (const tensor of tensors) tensor.dispose();
    this.#made.clear();
  }

  #canMake(derived: Derived): boolean {
    if (!this.#members().has(derived)) return false;
    if (openTapes().length === 0) return true;
    const { parameters } = derived;
    return openTapes().every(
      (tape) =>
        this.#tapes.includes(tape) || !parameters.some((parameter) => tape.tracks(parameter)),
    );
  }

  #makeAll(asked: Derived): readonly Tensor[] {
    const groups = new Map<string, Derived[]>();
    onTapes(this.#tapes, () => {
      for (const derived of this.#members().like(asked)) {
        if (this.#made.has(derived)) continue;
        const { parameters } = derived;
        const { dtype, device } = parameters[0] as Tensor;
        // What is not trained is kept apart: its gradients are nobody's.
        const key = `${dtype} ${device} ${isTracked(parameters)}`;
        const group = groups.get(key);
        if (group) group.push(derived);
        else groups.set(key, [derived]);
      }
      scope(() => {
        for (const group of groups.values()) {
          for (let from = 0; from < group.length; from += mostTogether) {
            const part = group.slice(from, from + mostTogether);
            const made = asked.kind.make(part.map((derived) => derived.source));
            for (const [k, derived] of part.entries()) {
              const tensors = made[k] as readonly Tensor[];
              this.#made.set(
                derived,
                tensors.map((tensor) => tensor.alias()),
              );
            }
          }
        }
      });
    });
    return this.#made.get(asked) as readonly Tensor[];
  }
}

function within<T>(household: Household, body: () => T): T {
  open.push(household);
  try {
    return body();
  } finally {
    open.splice(open.indexOf(household), 1);
    household.dispose();
  }
}

/** Runs `body`, in which the derived weights of `members` are made together. They must not change meanwhile. */
export function withDerived<T>(members: () => Members, body: () => T): T {
  return within(new Household(members), body);
}

/**
 * Runs `body` with derived weights that are there already, as leaves of a tape of its own; those of `members` that are not among them are
 * made together when they are asked for.
 */
export function withMade<T>(
  members: readonly Derived[],
  made: ReadonlyMap<Derived, readonly Tensor[]>,
  body: () => T,
): T {
  const aliases = new Map<Derived, readonly Tensor[]>();
  for (const [derived, tensors] of made)
    aliases.set(
      derived,
      tensors.map((tensor) => tensor.alias()),
    );
  const own = new Members(members);
  return within(new Household(() => own, aliases), body);
}

/** Those of `derived` that open households have made and that a tape tracks. */
export function trackedDerived(derived: readonly Derived[]): Map<Derived, readonly Tensor[]> {
  const found = new Map<Derived, readonly Tensor[]>();
  for (const household of open)
    for (const [one, tensors] of household.tracked(derived))
      if (!found.has(one)) found.set(one, tensors);
  return found;
}
