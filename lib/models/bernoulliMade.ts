/**
 * MADE on binary data: p(x) = Π p(x_d | x_<d) with Bernoulli conditionals.
 * Germain et al. 2015, "MADE: Masked Autoencoder for Distribution Estimation".
 *
 * Order-agnostic and connectivity-agnostic training (sections 4.2, 4.3): several masks, one a step. A mask is an order of
 * the inputs and a degree for each hidden unit. The weights keep their places; for a mask they are gathered into the
 * order of its degrees, so that the staircase of masked linear skips the zeros of every mask.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { freshSeed, requireDrawn, requireSamples } from '../flows/draws';
import { loadAs, type ModelFileOptions, saveModule } from '../flows/modelFile';
import {
  type DegreeRule,
  degreeRule,
  extentsOver,
  hiddenDegrees,
  inputDegrees,
} from '../nn/degrees';
import { type OrderRule, orderOf, orderRule } from '../nn/featureOrder';
import { maskedUniformByFanIn, uniformByFanIn, zeros } from '../nn/initialization';
import { type Config, Module, withoutUndefined } from '../nn/module';
import { register } from '../nn/registry';
import {
  type Activation,
  affineScalar,
  bernoulliLogProb,
  cast,
  concatColumns,
  gatherColumns,
  gatherRows,
  logSumExp,
  maskedLinear,
  RandomStream,
  reshape,
} from '../ops';
import { activationRule } from '../ops/activation';
import {
  anything,
  checkOptions,
  count,
  dtype,
  flag,
  type Rules,
  required,
  seed,
  widths,
} from '../options';
import { type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

export interface BernoulliMadeOptions {
  /** D. */
  readonly features: number;
  readonly hidden: readonly number[];
  /** Default relu. */
  readonly activation?: Activation;
  /** Connections from the inputs to the outputs (section 4.1). Default false. */
  readonly direct?: boolean;
  /** How many masks are cycled through, one a step. Default 1. */
  readonly masks?: number;
  /** Order of the inputs; with 'random' another one in each mask (order-agnostic). Default natural. */
  readonly order?: OrderRule;
  /** Degrees of the hidden units: fixed, or with 'random' others in each mask (connectivity-agnostic). Default as of Made. */
  readonly degrees?: DegreeRule;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Index tensors of the mask in force; overwritten by `useMask`, so that a recorded step can go on using them. */
interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** int32 [outputs]: which unit stands at which place of the sorted order. */
  readonly sorted: Tensor;
  readonly extents: Tensor;
}

/** The stable order that sorts the degrees. */
function sortOrder(degrees: Int32Array): Int32Array {
  return Int32Array.from(degrees.keys()).sort(
    (a, b) => (degrees[a] as number) - (degrees[b] as number) || a - b,
  );
}

const bernoulliMadeRules: Rules<BernoulliMadeOptions> = {
  features: required(count),
  hidden: required(widths),
  activation: activationRule,
  direct: flag,
  masks: count,
  order: orderRule,
  degrees: degreeRule,
  seed,
  dtype,
};

export class BernoulliMade extends Module {
  readonly features: number;
  readonly contextFeatures = 0;
  readonly dtype: FloatDType;
  readonly masks: number;
  readonly #options: BernoulliMadeOptions;
  readonly #hidden: Layer[] = [];
  readonly #output: Layer;
  readonly #direct: Layer | null;
  readonly #inputOrder: Tensor;
  /** Without a second mask and with sorted units nothing has to be gathered. */
  readonly #gathers: boolean;
  #mask = -1;

  constructor(options: BernoulliMadeOptions) {
    super();
    checkOptions('BernoulliMade', options, bernoulliMadeRules);
    const { features, hidden, masks = 1, direct = false, seed = 0, dtype = 'float32' } = options;
    if (
      hidden.length === 0 ||
      [features, masks, ...hidden].some((n) => !Number.isSafeInteger(n) || n < 1)
    ) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'BernoulliMade',
          'sizes',
          'whole numbers ≥ 1 and at least one hidden layer',
          `features ${features}, hidden [${hidden.join(', ')}], masks ${masks}`,
          'pass for instance { features: 784, hidden: [500] }',
        ),
      );
    }
    this.#options = options;
    this.features = features;
    this.dtype = dtype;
    this.masks = masks;
    this.#gathers = (options.order ?? 'natural') !== 'natural' || options.degrees === 'random';
    const stream = new RandomStream(seed);
    const widths = [features, ...hidden];
    const firstMask = this.#maskDegrees(0);
    for (let l = 1; l < widths.length; l++) {
      const [inputs, units] = [widths[l - 1] as number, widths[l] as number];
      // Without gathering the mask is known, and the fan-in with it.
      const extents = extentsOver(
        firstMask.hidden[l - 1] as Int32Array,
        l === 1 ? inputDegrees(features) : (firstMask.hidden[l - 2] as Int32Array),
        0,
      );
      const weight = this.#gathers
        ? uniformByFanIn(stream, [units, inputs], inputs / 2, dtype)
        : maskedUniformByFanIn(stream, extents, inputs, dtype);
      this.#hidden.push(this.#layer(`hidden.${l - 1}`, weight, true));
    }
    const last = widths[widths.length - 1] as number;
    this.#output = this.#layer('output', zeros([features, last], dtype), true);
    this.#direct = direct ? this.#layer('direct', zeros([features, features], dtype), false) : null;
    this.#inputOrder = this.own(tensorOfArray(new Int32Array(features), [features]));
    stream.dispose();
    this.useMask(0);
  }

  #layer(name: string, weight: Tensor, bias: boolean): Layer {
    const outputs = weight.rows;
    return {
      weight: this.parameter(`${name}.weight`, weight),
      bias: bias ? this.parameter(`${name}.bias`, zeros([outputs], this.dtype)) : null,
      sorted: this.own(tensorOfArray(new Int32Array(outputs), [outputs])),
      extents: this.own(tensorOfArray(new Int32Array(outputs), [outputs])),
    };
  }

  /** Order of the inputs and degrees of the hidden layers of a mask: a function of the seed and its number. */
  #maskDegrees(mask: number): { order: Int32Array; hidden: Int32Array[] } {
    const { features, hidden, order = 'natural', degrees, seed = 0 } = this.#options;
    const maskSeed = seed * 1_000_003 + mask + 1;
    const inputOrder = orderOf(order, features, maskSeed);
    const stream = new RandomStream(maskSeed + 0.5 * 2 ** 40);
    let least = 1;
    const layers = hidden.map((units) => {
      const of = hiddenDegrees(degrees, units, features, least, stream);
      least = of[0] ?? 1;
      // hiddenDegrees sorts; another mask must be able to give a unit another degree.
      return degrees === 'random' ? shuffled(of, stream) : of;
    });
    stream.dispose();
    return { order: inputOrder, hidden: layers };
  }

  /** Puts mask number `mask` (modulo the number of masks) in force. */
  useMask(mask: number): void {
    const wanted = mask % this.masks;
    if (wanted === this.#mask) return;
    this.#mask = wanted;
    const { order, hidden } = this.#maskDegrees(wanted);
    this.#inputOrder.write(order);
    let before = inputDegrees(this.features);
    for (const [l, degrees] of hidden.entries()) {
      const layer = this.#hidden[l] as Layer;
      const sorted = sortOrder(degrees);
      const inOrder = sorted.map((unit) => degrees[unit] as number);
      layer.sorted.write(sorted);
      layer.extents.write(extentsOver(inOrder, before, 0));
      before = inOrder;
    }
    const outputs = inputDegrees(this.features);
    this.#output.sorted.write(order);
    this.#output.extents.write(extentsOver(outputs, before, 1));
    this.#direct?.sorted.write(order);
    this.#direct?.extents.write(extentsOver(outputs, outputs, 1));
  }

  beforeStep(step: number): void {
    this.useMask(step);
  }

  #apply(
    layer: Layer,
    x: Tensor,
    inputOrder: Tensor,
    activation: Activation,
    addend: Tensor | null,
  ): Tensor {
    const { weight, bias, sorted, extents } = layer;
    if (!this.#gathers) return maskedLinear(x, weight, bias, { extents, activation, addend });
    const gathered = gatherRows(gatherColumns(weight, inputOrder), sorted);
    return maskedLinear(x, gathered, bias && gatherColumns(bias, sorted), {
      extents,
      activation,
      addend,
    });
  }

  /** Logits of p(x_d = 1 | x before d), with x and the logits in the order of the mask in force. */
  #logits(x: Tensor): { logits: Tensor; ordered: Tensor } {
    const ordered = this.#gathers ? gatherColumns(x, this.#inputOrder) : x;
    let h = ordered;
    let order = this.#inputOrder;
    for (const layer of this.#hidden) {
      h = this.#apply(layer, h, order, this.#options.activation ?? 'relu', null);
      order = layer.sorted;
    }
    const direct = this.#direct
      ? this.#apply(this.#direct, ordered, this.#inputOrder, 'none', null)
      : null;
    return { logits: this.#apply(this.#output, h, order, 'none', direct), ordered };
  }

  /**
   * @param x [N, D] of 0 and 1, float
   * @returns [N] float64, by the mask in force
   */
  logProbOfRows(x: Tensor): Tensor {
    return scope(() => {
      const { logits, ordered } = this.#logits(x);
      return bernoulliLogProb(logits, ordered);
    });
  }

  /**
   * Log-probability of binary rows.
   *
   * @param x [N, D] of 0 and 1
   * @param options `masks`: average of the probabilities by the first so many masks (the paper's ensemble); default all
   * @returns [N] float64, nats
   */
  logProb(x: Rows, options: { masks?: number } = {}): Tensor {
    checkOptions('logProb', options, { masks: anything });
    const { masks = this.masks } = options;
    return scope(() => {
      const rows = cast(rowsTensor('logProb', 'x', x, this.features, this.dtype), this.dtype);
      const inForce = this.#mask;
      const each: Tensor[] = [];
      for (let mask = 0; mask < masks; mask++) {
        this.useMask(mask);
        each.push(reshape(this.logProbOfRows(rows), [rows.rows, 1]));
      }
      this.useMask(inForce);
      return affineScalar(logSumExp(concatColumns(each), -1), 1, -Math.log(masks));
    });
  }

  dequantize(x: Tensor): Tensor {
    return cast(x, this.dtype);
  }

  /**
   * Draws binary rows, dimension by dimension in the order of mask 0: D passes.
   *
   * @returns [samples, D] of 0 and 1
   */
  sample(samples: number, options: { seed?: number } = {}): Tensor {
    checkOptions('sample', options, { seed });
    requireSamples(samples);
    return scope(() => {
      const stream = new RandomStream(options.seed ?? freshSeed());
      const inForce = this.#mask;
      this.useMask(0);
      const order = this.#inputOrder.dataSync();
      const uniform = stream.uniform([samples, this.features], 'float64').dataSync();
      const values = new Float64Array(samples * this.features);
      const x = cast(tensorOfArray(values, [samples, this.features]), this.dtype);
      for (let d = 0; d < this.features; d++) {
        const logits = scope(() => this.#logits(x).logits.dataSync());
        const feature = order[d] as number;
        for (let n = 0; n < samples; n++) {
          const p = 1 / (1 + Math.exp(-(logits[n * this.features + d] as number)));
          values[n * this.features + feature] = Number.isNaN(p)
            ? p
            : Number((uniform[n * this.features + d] as number) < p);
        }
        x.write(this.dtype === 'float32' ? Float32Array.from(values) : values);
      }
      requireDrawn(x);
      this.useMask(inForce);
      stream.dispose();
      return x;
    });
  }

  /** Writes architecture, weights and state into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` wrote. @throws FlowError FILE, FORMAT */
  static async load(path: string): Promise<BernoulliMade> {
    return loadAs(BernoulliMade, path, 'a Bernoulli MADE');
  }

  config(): Config {
    const { features, hidden, activation, direct, masks, order, degrees, seed, dtype } =
      this.#options;
    return withoutUndefined({
      kind: 'bernoulliMade',
      features,
      hidden: [...hidden],
      activation,
      direct,
      masks,
      order: order !== undefined && typeof order !== 'string' ? [...order] : order,
      degrees,
      seed,
      dtype,
    }) as Config;
  }
}

function shuffled(values: Int32Array, stream: RandomStream): Int32Array {
  const order = stream.permutation(values.length);
  return Int32Array.from(order, (k) => values[k] as number);
}

register<BernoulliMadeOptions & Config & { kind: 'bernoulliMade' }>(
  'bernoulliMade',
  (config) => new BernoulliMade(config),
);
