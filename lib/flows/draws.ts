/** What every model asks before it draws. */
import { expected, FlowError } from '../errors';

/** @throws FlowError ARGUMENT unless so many rows can be drawn */
export function requireSamples(samples: number, where = 'sample'): void {
  if (Number.isSafeInteger(samples) && samples >= 0) return;
  const remedy = 'pass how many rows to draw';
  throw new FlowError(
    'ARGUMENT',
    expected(where, 'samples', 'a whole number ≥ 0', String(samples), remedy),
  );
}

/** A seed that nobody chose. */
export const freshSeed = (): number => Math.floor(Math.random() * 2 ** 48);
