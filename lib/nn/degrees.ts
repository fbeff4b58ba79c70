/**
 * Degrees and extents: the masks of MADE (Germain et al. 2015, "MADE: Masked Autoencoder for Distribution Estimation",
 * eqs. 12–13) as structure.
 *
 * Input i has degree i + 1. A hidden unit of degree d may see the units of degree ≤ d of the layer before; an output
 * of dimension i (degree i + 1) those of degree ≤ i. The hidden units of a layer are kept sorted by degree, so that
 * what a unit sees is always a leading range of the layer before: its extent.
 */
import type { RandomStream } from '../ops';
import { type Rule, word } from '../options';
import { claimElements } from './initialization';

export type DegreeRule = 'sequential' | 'spread' | 'random';

/** What an option `degrees` must be. */
export const degreeRule: Rule = word('sequential', 'spread', 'random');

/**
 * Degrees of a hidden layer, sorted.
 *
 * @param rule 'sequential': unit k gets k mod (D − least) + least, so all degrees are equally frequent; 'spread': the same
 *   number of units between any two degrees, also where there are fewer units than degrees (by the sequential rule no unit
 *   would see the last features then); 'random': uniform between `least` and D − 1. undefined: sequential, or spread where
 *   there are fewer units than degrees
 * @param least 1, or the least degree of the layer before where degrees are random; 0 in a network with context:
 *   units of degree 0 see the context only, and without them it would never reach the first dimension
 */
export function hiddenDegrees(
  rule: DegreeRule | undefined,
  units: number,
  features: number,
  least: number,
  stream: RandomStream,
): Int32Array {
  const count = Math.max(1, features - least);
  claimElements(units);
  const degrees = new Int32Array(units);
  if (rule === 'spread' || (rule === undefined && units < count)) {
    // The highest degree first: it is the one that the last feature cannot do without.
    for (let k = 0; k < units; k++) degrees[k] = least + Math.ceil(((k + 1) * count) / units) - 1;
  } else if (rule !== 'random') {
    for (let k = 0; k < units; k++) degrees[k] = (k % count) + least;
  } else {
    const draws = stream.uniformArray(units);
    for (let k = 0; k < units; k++) {
      degrees[k] = least + Math.min(count - 1, Math.floor((draws[k] as number) * count));
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
