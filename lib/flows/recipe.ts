/** What the recipes of flows share. */
import type { Bijection } from '../bijections/bijection';
import { Permutation } from '../bijections/permutation';
import { Distribution, StandardNormal } from '../distributions';
import type { FloatDType } from '../dtype';
import { object, one, type Rules } from '../options';
import { Flow } from './flow';
import { aMap, dequantizationRule, type FlowParts } from './flowParts';

/** What every recipe takes beside the shape of its flow. */
export interface RecipeOptions
  extends Pick<
    FlowParts,
    'preprocessing' | 'contextPreprocessing' | 'dequantization' | 'description'
  > {
  /** Default: the standard normal. */
  readonly base?: Distribution;
}

/** What each of them must be. */
export const recipeRules: Rules<RecipeOptions> = {
  base: one('a Distribution', () => Distribution),
  preprocessing: aMap,
  contextPreprocessing: aMap,
  dequantization: dequantizationRule,
  description: object,
};

/** The options of a recipe that are not those of all recipes: what its networks and maps take. */
export function ownOptions<O extends RecipeOptions>(options: O): Omit<O, keyof RecipeOptions> {
  const {
    base: _base,
    preprocessing: _preprocessing,
    contextPreprocessing: _context,
    dequantization: _dequantization,
    description: _description,
    ...own
  } = options;
  return own;
}

/** The flow of a recipe. */
export function flowOf(
  bijection: Bijection,
  options: RecipeOptions,
  dtype: FloatDType = 'float32',
): Flow {
  return new Flow({
    base: options.base ?? new StandardNormal(bijection.features, dtype),
    bijection,
    preprocessing: options.preprocessing ?? null,
    contextPreprocessing: options.contextPreprocessing ?? null,
    dequantization: options.dequantization ?? null,
    description: options.description ?? {},
  });
}

/** The seed of the k-th of the transforms that follow from one seed: no two alike. */
export const seedOf = (seed: number, k: number): number => seed + 104729 * (k + 1);

/** What stands before transform k of an autoregressive flow. */
export const orders = ['reverse', 'random', 'none'] as const;

/** A change of the order of the columns before transform k, but the first; none where nothing changes. */
export function orderBefore(
  k: number,
  permutation: (typeof orders)[number],
  features: number,
  seed: number,
): Bijection[] {
  if (k === 0 || permutation === 'none') return [];
  if (permutation === 'reverse') return [Permutation.reverse(features)];
  return [Permutation.random(features, seed + 7919 * k)];
}
