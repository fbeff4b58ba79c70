/**
 * Degrees and extents: the masks of MADE (Germain et al. 2015, "MADE: Masked Autoencoder for Distribution Estimation",
 * eqs. 12–13) as structure.
 *
 * Input i has degree i + 1. A hidden unit of degree d may see the units of degree ≤ d of the layer before; an output
 * of dimension i (degree i + 1) those of degree ≤ i. The hidden units of a layer are kept sorted by degree, so that
 * what a unit sees is always a leading range of the layer before: its extent.
 */
import { expected, FlowError } from '../errors';
import type { RandomStream } from '../ops';
import { claimElements } from './initialization';

export type DegreeRule = 'sequential' | 'random';

/**
 * Degrees of a hidden layer, sorted.
 *
 * @param rule 'sequential': unit k gets k mod (D − 1) + 1, so all degrees are equally frequent; 'random': uniform
 *   between the least degree of the layer before and D − 1
 */
export function hiddenDegrees(
  rule: DegreeRule,
  units: number,
  features: number,
  least: number,
  stream: RandomStream | null,
): Int32Array {
  const highest = Math.max(1, features - 1);
  claimElements(units);
  const degrees = new Int32Array(units);
  if (rule === 'sequential') {
    for (let k = 0; k < units; k++) degrees[k] = (k % highest) + 1;
  } else {
    if (stream === null) {
      throw new FlowError(
        'ARGUMENT',
        expected('MADE', 'seed', 'a seed for random degrees', 'none', 'pass seed'),
      );
    }
    const low = Math.min(least, highest);
    const draws = stream.uniformArray(units);
    for (let k = 0; k < units; k++) {
      degrees[k] =
        low + Math.min(highest - low, Math.floor((draws[k] as number) * (highest - low + 1)));
    }
  }
  return degrees.sort();
}

/** Extent of each unit of the sorted degrees `of` over the sorted degrees `over`: how many are ≤ its own − `strict`. */
export function extentsOver(of: Int32Array, over: Int32Array, strict: 0 | 1): Int32Array {
  const extents = new Int32Array(of.length);
  let seen = 0;
  for (let k = 0; k < of.length; k++) {
    while (seen < over.length && (over[seen] as number) <= (of[k] as number) - strict) seen++;
    extents[k] = seen;
  }
  return extents;
}

/** Degrees 1 … D of the inputs. */
export function inputDegrees(features: number): Int32Array {
  return Int32Array.from({ length: features }, (_, i) => i + 1);
}

/** Each degree `times` times in a row: the outputs of a dimension stand side by side. */
export function repeatDegrees(degrees: Int32Array, times: number): Int32Array {
  return Int32Array.from(
    { length: degrees.length * times },
    (_, k) => degrees[Math.floor(k / times)] as number,
  );
}
