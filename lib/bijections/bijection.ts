/**
 * Bijections: invertible maps of rows with the log-determinant of their Jacobian.
 *
 * `forward` is data → noise, the direction that maximum likelihood trains. logDet is log|det ∂out/∂in| of the call just
 * made, float64, one number a row, never averaged over the batch.
 */
import { withoutTape } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { Module } from '../nn/module';
import { full } from '../ops';
import { requireTensor } from '../ops/check';
import { one, type Rule } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { mapRowsInPlace } from './rowChunks';
import type { Solved } from './solve';

/** With `solve` where this direction has no closed form. */
export interface Forward extends Solved {
  /** [N, D] */
  readonly y: Tensor;
  /** [N] float64: log|det ∂y/∂x| */
  readonly logDet: Tensor;
}

/** With `solve` where this direction has no closed form. */
export interface Inverse extends Solved {
  /** [N, D] */
  readonly x: Tensor;
  /** [N] float64: log|det ∂x/∂y| */
  readonly logDet: Tensor;
}

/** As {@link Forward}; null: the log-determinant is 0. What chains add up, where nothing need not be made. */
export type ForwardPart = Omit<Forward, 'logDet'> & { readonly logDet: Tensor | null };
/** As {@link Inverse}; null: the log-determinant is 0. */
export type InversePart = Omit<Inverse, 'logDet'> & { readonly logDet: Tensor | null };

const nothing = (rows: number): Tensor => full([rows], 0, 'float64');

export abstract class Bijection extends Module {
  /** D: columns in and out. */
  abstract readonly features: number;
  /** Columns of the context; 0: takes none. */
  readonly contextFeatures: number = 0;
  /** Which direction costs one pass; the other one is slower by the factor that the class documents. */
  readonly fastDirection: 'both' | 'forward' | 'inverse' = 'both';

  protected abstract mapForward(x: Tensor, context: Tensor | null): ForwardPart;
  protected abstract mapInverse(y: Tensor, context: Tensor | null): InversePart;

  /** data → noise. @throws FlowError SHAPE */
  forward(x: Tensor, context: Tensor | null = null): Forward {
    const { logDet, ...step } = this.forwardPart(x, context);
    return { ...step, logDet: logDet ?? nothing(x.rows) };
  }

  /** noise → data. @throws FlowError SHAPE */
  inverse(y: Tensor, context: Tensor | null = null): Inverse {
    const { logDet, ...step } = this.inversePart(y, context);
    return { ...step, logDet: logDet ?? nothing(y.rows) };
  }

  /** As forward, for a chain. @throws FlowError SHAPE */
  forwardPart(x: Tensor, context: Tensor | null): ForwardPart {
    this.#check(x, context, 'x');
    return this.mapForward(x, context);
  }

  /** As inverse, for a chain. @throws FlowError SHAPE */
  inversePart(y: Tensor, context: Tensor | null): InversePart {
    this.#check(y, context, 'y');
    return this.mapInverse(y, context);
  }

  /**
   * Sets what is computed from a whole data set rather than learned by gradients (statistics of batch norm), and
   * replaces the rows by their image, so that a chain goes on with it. Most bijections have nothing to set.
   *
   * A generator, because it takes as long as a pass over the data: it yields between pieces of the work, so that the
   * caller can give the event loop a turn. Call it with train(false).
   *
   * @param rows [N, D], the training set as this bijection sees it; overwritten
   */
  *calibrate(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* mapRowsInPlace(rows, context, (part, itsContext) => this.forward(part, itsContext).y);
  }

  /** Whether calibrate has something to set, here or below. */
  get calibrates(): boolean {
    for (const child of this.children().values())
      if (child instanceof Bijection && child.calibrates) return true;
    return false;
  }

  /**
   * Whether a backward pass may rebuild the input from the output: the inverse undoes what forward did, to rounding, and
   * forward may run again without changing anything.
   */
  get rebuildable(): boolean {
    for (const child of this.children().values())
      if (child instanceof Bijection && !child.rebuildable) return false;
    return true;
  }

  /**
   * For a backward pass that kept the output only: the input, and the forward pass on it, on the open tape.
   *
   * Here that costs an inverse and a forward pass. A bijection both of whose directions need the same network
   * (a coupling) overrides it and runs the network once.
   *
   * @param y [N, D]
   * @param watch to be called with x before anything is made of it
   */
  rebuild(
    y: Tensor,
    context: Tensor | null,
    watch: (x: Tensor) => void,
  ): Forward & { readonly x: Tensor } {
    const { x } = withoutTape(() => this.inverse(y, context));
    watch(x);
    return { x, ...this.forward(x, context) };
  }

  /**
   * Data-dependent initialisation (actnorm): sets what has not been set yet from the rows as they arrive here, and replaces
   * the rows by their image, so that a chain goes on with it. What was initialised once is left as it is: whether it was is
   * saved state.
   *
   * A generator for the reason that calibrate is one. Call it with train(false).
   *
   * @param rows [N, D], some training rows as this bijection sees them; overwritten
   */
  *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* mapRowsInPlace(rows, context, (part, itsContext) => this.forward(part, itsContext).y);
  }

  /** Whether initialize has something left to set, here or below. */
  get initializes(): boolean {
    for (const child of this.children().values())
      if (child instanceof Bijection && child.initializes) return true;
    return false;
  }

  #check(input: Tensor, context: Tensor | null, name: string): void {
    requireTensor(this.constructor.name, name, input);
    if (context !== null) requireTensor(this.constructor.name, 'context', context);
    if (input.shape.length !== 2 || input.cols !== this.features) {
      throw new FlowError(
        'SHAPE',
        expected(
          this.constructor.name,
          name,
          `shape [N, ${this.features}]`,
          formatShape(input.shape),
          'pass one row a sample with one column a feature',
        ),
      );
    }
    if (
      this.contextFeatures > 0 &&
      (context === null || context.rows !== input.rows || context.cols !== this.contextFeatures)
    ) {
      throw new FlowError(
        'SHAPE',
        expected(
          this.constructor.name,
          'context',
          `shape [N, ${this.contextFeatures}] = [${input.rows}, ${this.contextFeatures}]`,
          context === null ? 'none' : formatShape(context.shape),
          'pass one row of context a sample',
        ),
      );
    }
  }

  /** The part of the context that a bijection below this one takes: null where it takes none. */
  protected contextFor(below: Bijection, context: Tensor | null): Tensor | null {
    return below.contextFeatures > 0 ? context : null;
  }
}

/** What a map must be. */
export const aBijection: Rule = one('a Bijection', () => Bijection);
