/** The order of an autoregression: which feature comes first, which second, … */
import { expected, FlowError } from '../errors';
import { gatherColumns, RandomStream } from '../ops';
import { checkArgument, count, type Rule, rule, seed as seedRule } from '../options';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { type Config, Module } from './module';

/** Natural: as the columns stand; reversed; random (by the seed); or the feature at each place. */
export type OrderRule = 'natural' | 'reversed' | 'random' | readonly number[];

const words: readonly string[] = ['natural', 'reversed', 'random'];

/** What an option `order` must be. */
export const orderRule: Rule = rule(
  'natural, reversed, random or a list of the features',
  (value) => Array.isArray(value) || words.includes(value as string),
  'pass one of these words, or a permutation',
);

/** Which feature stands at each place. @throws FlowError ARGUMENT when a given order is not a permutation */
export function orderOf(rule: OrderRule, features: number, seed: number): Int32Array {
  const natural = Int32Array.from({ length: features }, (_, i) => i);
  if (rule === 'natural') return natural;
  if (rule === 'reversed') return natural.reverse();
  if (rule === 'random') {
    const stream = new RandomStream(seed);
    const order = stream.permutation(features);
    stream.dispose();
    return order;
  }
  const seen = new Set<number>();
  for (const feature of rule) {
    if (Number.isInteger(feature) && feature >= 0 && feature < features) seen.add(feature);
  }
  if (rule.length !== features || seen.size !== features) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'order',
        'order',
        `each of 0 … ${features - 1} once`,
        `[${rule.join(', ')}]`,
        'pass a permutation',
      ),
    );
  }
  return Int32Array.from(rule);
}

export class FeatureOrder extends Module {
  /** order[k]: the feature at place k. */
  readonly order: Int32Array;
  readonly natural: boolean;
  readonly #places: Tensor;
  /** By outputs per feature. */
  readonly #back: ReadonlyMap<number, Tensor>;

  /** @param perFeature numbers of outputs a feature that `fromOrder` will be called with, besides 1 */
  constructor(
    readonly rule: OrderRule,
    readonly features: number,
    readonly seed = 0,
    perFeature = 1,
  ) {
    super();
    checkArgument('FeatureOrder', 'rule', rule, orderRule);
    checkArgument('FeatureOrder', 'features', features, count);
    checkArgument('FeatureOrder', 'seed', seed, seedRule);
    this.order = orderOf(rule, features, seed);
    this.natural = this.order.every((feature, place) => feature === place);
    this.#places = this.own(tensorOfArray(this.order, [features]));
    // Made here and not when needed: that could be inside of a recorded step, whose memory goes with it.
    this.#back = new Map([1, perFeature].map((count) => [count, this.#backIndices(count)]));
  }

  #backIndices(perFeature: number): Tensor {
    const back = new Int32Array(this.features * perFeature);
    for (const [place, feature] of this.order.entries()) {
      for (let p = 0; p < perFeature; p++) back[feature * perFeature + p] = place * perFeature + p;
    }
    return this.own(tensorOfArray(back, [back.length]));
  }

  /** Columns of features → columns in order. */
  toOrder(x: Tensor): Tensor {
    return this.natural ? x : gatherColumns(x, this.#places);
  }

  /** Columns in order, `perFeature` a feature side by side → columns of features. */
  fromOrder(y: Tensor, perFeature = 1): Tensor {
    if (this.natural) return y;
    const indices = this.#back.get(perFeature);
    if (indices === undefined) throw new Error(`[order] made for other outputs than ${perFeature}`);
    return gatherColumns(y, indices);
  }

  config(): Config {
    return { kind: 'featureOrder', rule: this.rule, features: this.features, seed: this.seed };
  }
}
