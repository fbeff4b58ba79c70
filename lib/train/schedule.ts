/**
 * Learning-rate schedules. A schedule is a pure function of where training stands: it has no state of its own, so it
 * goes on after a resume as if nothing had happened.
 */
import { expected, FlowError } from '../errors';
import {
  above0,
  callback,
  checkArgument,
  checkOptions,
  described,
  number,
  object,
} from '../options';
import type { EpochRecord } from './history';

/** Where training stands when the next step is about to be taken. */
export interface Position {
  /** Steps taken so far. */
  readonly step: number;
  /** Epochs finished so far. */
  readonly epoch: number;
  readonly stepsPerEpoch: number;
  /** Finished epochs. */
  readonly history: readonly EpochRecord[];
}

/** The factor on the optimizer's learning rate. */
export type Schedule = (position: Position) => number;

/** A length of time in training. */
export type Span =
  | { readonly steps: number; readonly epochs?: never }
  | { readonly epochs: number; readonly steps?: never };

function stepsOf(where: string, span: Span, stepsPerEpoch: number): number {
  const steps = span.steps ?? (span.epochs as number) * stepsPerEpoch;
  if (steps > 0 && steps < Infinity) return steps;
  throw argument(where, 'span', '{ steps } or { epochs } above 0', String(steps));
}

function argument(where: string, what: string, expectation: string, got: string) {
  return new FlowError('ARGUMENT', expected(where, what, expectation, got, 'correct the option'));
}

function checkFactor(where: string, what: string, factor: number): void {
  if (!(typeof factor === 'number' && factor >= 0 && factor <= 1))
    throw argument(where, what, 'a number in [0, 1]', described(factor));
}

/** Throws ARGUMENT unless the span has steps or epochs above 0, not both. */
function checkSpan(where: string, span: Span): void {
  checkArgument(where, 'span', span, object);
  checkOptions(where, span as { steps?: number; epochs?: number }, {
    steps: above0,
    epochs: above0,
  });
  if ((span.steps === undefined) === (span.epochs === undefined))
    throw argument(where, 'span', '{ steps } or { epochs }', described(span));
}

/** The learning rate as given. */
export function constantRate(): Schedule {
  return () => 1;
}

/** From lr/n up to lr in n steps, in a straight line; then `after`, counted from the end of the warm-up. */
export function linearWarmup(span: Span, after: Schedule = constantRate()): Schedule {
  checkArgument('linearWarmup', 'after', after, callback);
  checkSpan('linearWarmup', span);
  return (position) => {
    const steps = stepsOf('linearWarmup', span, position.stepsPerEpoch);
    if (position.step < steps) return (position.step + 1) / steps;
    return after({ ...position, step: position.step - steps });
  };
}

/** From 1 to `final` along half a cosine wave (Loshchilov, Hutter 2017, SGDR, eq. 5, without restarts). */
export function cosine(span: Span, options: { final?: number } = {}): Schedule {
  checkSpan('cosine', span);
  checkOptions('cosine', options, { final: number });
  const { final = 0 } = options;
  checkFactor('cosine', 'final', final);
  return ({ step, stepsPerEpoch }) => {
    const part = Math.min(1, step / stepsOf('cosine', span, stepsPerEpoch));
    return final + (1 - final) * 0.5 * (1 + Math.cos(Math.PI * part));
  };
}

/** Times `factor` after each `span`. */
export function stepDecay(span: Span, factor = 0.1): Schedule {
  checkSpan('stepDecay', span);
  checkFactor('stepDecay', 'factor', factor);
  return ({ step, stepsPerEpoch }) =>
    factor ** Math.floor(step / stepsOf('stepDecay', span, stepsPerEpoch));
}

/**
 * Times `factor` when `patience` epochs brought no better validation (or training loss, where there is no validation);
 * never below `least`.
 */
export function plateau(
  options: { patience?: number; factor?: number; least?: number } = {},
): Schedule {
  checkOptions('plateau', options, { patience: number, factor: number, least: number });
  const { patience = 10, factor = 0.5, least = 1e-3 } = options;
  checkFactor('plateau', 'factor', factor);
  checkFactor('plateau', 'least', least);
  if (!(patience >= 1)) throw argument('plateau', 'patience', 'at least 1 epoch', String(patience));
  // The factor changes between epochs only.
  let seen: readonly EpochRecord[] | null = null;
  let length = -1;
  let current = 1;
  return ({ history }) => {
    if (history === seen && history.length === length) return current;
    seen = history;
    length = history.length;
    current = 1;
    let best = -Infinity;
    let waited = 0;
    // Validation counts wherever there is some: training loss and it do not compare.
    const validated = history.filter((record) => record.validationLogProb !== null);
    for (const record of validated.length > 0 ? validated : history) {
      const score = record.validationLogProb ?? -record.trainLoss;
      if (score > best) {
        best = score;
        waited = 0;
      } else if (++waited >= patience) {
        current = Math.max(least, current * factor);
        waited = 0;
      }
    }
    return current;
  };
}
