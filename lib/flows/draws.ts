/** What every model asks before it draws. */
import { expected, FlowError } from '../errors';
import { checkFinite } from '../ops';
import { scope } from '../tensor/scope';
import { isRecording, type Tensor } from '../tensor/tensor';

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

/**
 * The drawn rows of a model of levels or bits. Where what the model says is no distribution (a NaN among the logits), the
 * samplers draw NaN.
 *
 * @throws FlowError NUMERIC where there is one
 */
export function requireDrawn(drawn: Tensor, where = 'sample'): Tensor {
  if (isRecording() || drawn.size === 0 || scope(() => checkFinite([drawn]).item()) < 0)
    return drawn;
  const values = drawn.dataSync();
  const bad = new Set<number>();
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i])) bad.add(Math.floor(i / drawn.cols));
  throw new FlowError(
    'NUMERIC',
    expected(
      where,
      'what the model says',
      'distributions',
      `NaN or infinite parameters in ${bad.size} of ${drawn.rows} rows, the first of them ${Math.min(...bad)}`,
      'look for weights that are not finite, and go back to an earlier checkpoint',
    ),
  );
}
