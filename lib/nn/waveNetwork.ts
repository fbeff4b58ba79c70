/** The network of a WaveNet: dilated causal convolutions behind one another, gated, with residuals and skips. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  add,
  cast,
  columns,
  concatColumns,
  full,
  gatherRows,
  linear,
  RandomStream,
  relu,
  reshape,
  type WaveNetworkTensors,
  type WaveStackLayer,
  waveStack,
} from '../ops';
import {
  checkOptions,
  count,
  countOrNone,
  dtype,
  flag,
  type Rules,
  required,
  seed,
} from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { claimElements, uniformByFanIn, zeros } from './initialization';
import { Linear } from './linear';
import { type Config, Module, withoutUndefined } from './module';
import { register } from './registry';

/** Of its layers, in channels. */
export interface WaveSizes {
  /** Layers of a stack, with dilations 1, 2, 4, … Default 10. */
  readonly layers?: number;
  /** Default 3. */
  readonly stacks?: number;
  /** H: channels of the residual path. Default 64. */
  readonly hidden?: number;
  /** G: channels behind the gates. Default H. */
  readonly gates?: number;
  /** S: channels of the skips. Default H. */
  readonly skips?: number;
  /** E: channels between the skips and the outputs. Default S. */
  readonly head?: number;
}

export interface WaveNetworkOptions extends WaveSizes {
  /** O: outputs at each moment. */
  readonly outputs: number;
  /** The values are levels 0 … levels − 1, each with a vector of its own; left out: they are numbers. */
  readonly levels?: number;
  /** C: numbers of a condition at each moment. Default 0: none. */
  readonly condition?: number;
  /** The last layer starts at zero, as those of flows do. Default false. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** The moments that an output depends on: 1 for the value just before, and the dilations of all layers. */
export function receptiveField(layers: number, stacks: number): number {
  return stacks * (2 ** layers - 1) + 1;
}

const waveNetworkRules: Rules<WaveNetworkOptions> = {
  outputs: required(count),
  levels: count,
  layers: count,
  stacks: count,
  hidden: count,
  gates: count,
  skips: count,
  head: count,
  condition: countOrNone,
  zeroInitialized: flag,
  seed,
  dtype,
};

/**
 * Outputs at t of the values before t: van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio", figure 4,
 * with kernels of width 2. All residual layers are one instruction ({@link waveStack}).
 */
export class WaveNetwork extends Module {
  readonly outputs: number;
  readonly condition: number;
  readonly dtype: FloatDType;
  readonly layers: readonly WaveStackLayer[];
  readonly #options: WaveNetworkOptions;
  /** [levels + 1, H], the last row for the start; or [H, 1]. */
  readonly #inputWeight: Tensor;
  readonly #inputBias: Tensor | null;
  readonly #head: Linear;
  readonly #last: Linear;

  constructor(options: WaveNetworkOptions) {
    super();
    checkOptions('WaveNetwork', options, waveNetworkRules);
    const { outputs, levels, layers = 10, stacks = 3, hidden = 64, condition = 0 } = options;
    const { gates = hidden, skips = hidden, dtype = 'float32' } = options;
    const { head = skips } = options;
    const sizes = { outputs, layers, stacks, hidden, gates, skips, head };
    for (const [what, size] of Object.entries({ ...sizes, levels: levels ?? 2, condition })) {
      const least = what === 'condition' ? 0 : 1;
      if (Number.isSafeInteger(size) && size >= least) continue;
      throw new FlowError(
        'ARGUMENT',
        expected('WaveNetwork', what, `a whole number ≥ ${least}`, `${size}`, 'check the sizes'),
      );
    }
    if (layers > 30 || layers * stacks > 512) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'WaveNetwork',
          'layers, stacks',
          'at most 30 layers a stack and 512 in all',
          `${layers} and ${stacks}`,
          'the dilation doubles with each layer of a stack',
        ),
      );
    }
    this.#options = options;
    this.outputs = outputs;
    this.condition = condition;
    this.dtype = dtype;
    const stream = new RandomStream(options.seed ?? 0);
    const random = (shape: number[], fanIn: number) => uniformByFanIn(stream, shape, fanIn, dtype);
    if (levels === undefined) {
      this.#inputWeight = this.parameter('input.weight', random([hidden, 1], 1));
      this.#inputBias = this.parameter('input.bias', random([hidden], 1));
    } else {
      this.#inputWeight = this.parameter('input.weight', random([levels + 1, hidden], 1));
      this.#inputBias = null;
    }
    const count = layers * stacks;
    this.layers = Array.from({ length: count }, (_, l) => {
      const name = (what: string) => `layers.${l}.${what}`;
      const fanIn = 2 * hidden + condition;
      const rows = skips + (l + 1 < count ? hidden : 0);
      return {
        dilation: 2 ** (l % layers),
        weight: this.parameter(name('weight'), random([2 * gates, fanIn], fanIn)),
        bias: this.parameter(name('bias'), zeros([2 * gates], dtype)),
        outputWeight: this.parameter(name('outputWeight'), random([rows, gates], gates)),
        outputBias: this.parameter(name('outputBias'), zeros([rows], dtype)),
      };
    });
    this.#head = this.child('head', new Linear(skips, head, { dtype }, stream));
    const start = options.zeroInitialized ? null : stream;
    this.#last = this.child('last', new Linear(head, outputs, { dtype }, start));
    stream.dispose();
  }

  /** Bias of the last layer [O], for whoever knows where the outputs should start. */
  get lastBias(): Tensor {
    return this.#last.bias as Tensor;
  }

  /** What {@link waveGenerate} takes. */
  get tensors(): WaveNetworkTensors {
    return {
      inputWeight: this.#inputWeight,
      inputBias: this.#inputBias,
      layers: this.layers,
      headWeight: this.#head.weight,
      headBias: this.#head.bias as Tensor,
      lastWeight: this.#last.weight,
      lastBias: this.lastBias,
    };
  }

  /**
   * @param x [N, T], levels or numbers; output t reads x_0 … x_(t−1) only
   * @param condition [N·T, C] exactly where the network has one
   * @returns [N·T, O]
   */
  apply(x: Tensor, condition: Tensor | null = null): Tensor {
    const [samples, length] = [x.rows, x.cols];
    if ((condition?.cols ?? 0) !== this.condition) {
      const got = condition ? `${condition.cols}` : 'none';
      throw new FlowError(
        'SHAPE',
        expected('WaveNetwork', 'condition', `${this.condition} columns`, got, 'check the options'),
      );
    }
    return scope(() => {
      const first = this.#options.levels ?? 0;
      const before = concatColumns([
        full([samples, 1], first, this.dtype),
        ...(length > 1 ? [columns(x, 0, length - 1)] : []),
      ]);
      const input = this.#inputBias
        ? linear(reshape(before, [samples * length, 1]), this.#inputWeight, this.#inputBias)
        : gatherRows(this.#inputWeight, cast(reshape(before, [samples * length]), 'int32'));
      const skip = waveStack(input, this.layers, { length, condition });
      return this.#last.apply(relu(this.#head.apply(relu(skip))));
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'waveNetwork', ...this.#options }) as Config;
  }
}

register<WaveNetworkOptions & Config & { readonly kind: 'waveNetwork' }>(
  'waveNetwork',
  (config) => new WaveNetwork(config),
);

export interface WaveConditionOptions {
  /** Numbers of a frame; 0: no frames. */
  readonly frames: number;
  /** Moments that a frame stands for. */
  readonly hop: number;
  /** Numbers of what is said of the whole sequence; 0: nothing. */
  readonly global: number;
  /** C: columns of the condition. */
  readonly outputs: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const waveConditionRules: Rules<WaveConditionOptions> = {
  frames: required(countOrNone),
  hop: required(count),
  global: required(countOrNone),
  outputs: required(count),
  seed,
  dtype,
};

/**
 * From a row of context [frame 0 | frame 1 | … | global] to a condition at each moment. A frame becomes `hop` moments by a
 * learned map of its own for each (a transposed convolution of stride `hop`), which starts as a repetition: WaveNet,
 * section 2.5.
 */
export class WaveCondition extends Module {
  readonly options: WaveConditionOptions;
  readonly #frames: Tensor | null;
  readonly #global: Tensor | null;

  constructor(options: WaveConditionOptions) {
    super();
    checkOptions('WaveCondition', options, waveConditionRules);
    const { frames, hop, global, outputs, dtype = 'float32' } = options;
    if (frames + global === 0) {
      throw new FlowError(
        'ARGUMENT',
        expected('WaveCondition', 'frames, global', 'at least one above 0', 'none', 'leave it out'),
      );
    }
    this.options = options;
    const stream = new RandomStream(options.seed ?? 0);
    const map = (inputs: number, times: number) =>
      scope(() => {
        claimElements(outputs * inputs * times);
        const one = uniformByFanIn(stream, [outputs, inputs], frames + global, dtype);
        const repeated = Int32Array.from({ length: outputs * times }, (_, k) => k % outputs);
        return times === 1 ? one : gatherRows(one, indicesOf(repeated));
      });
    this.#frames = frames > 0 ? this.parameter('frames', map(frames, hop)) : null;
    this.#global = global > 0 ? this.parameter('global', map(global, 1)) : null;
    stream.dispose();
  }

  /** Columns of the context of sequences of so many moments. */
  contextFeatures(length: number): number {
    const { frames, hop, global } = this.options;
    return frames * (frames > 0 ? length / hop : 0) + global;
  }

  /** @param context [N, (T/hop)·frames + global] @returns [N·T, C] */
  apply(context: Tensor, length: number): Tensor {
    const { frames, hop, global, outputs } = this.options;
    const samples = context.rows;
    return scope(() => {
      const count = frames > 0 ? length / hop : 0;
      const local = this.#frames
        ? reshape(
            linear(
              reshape(columns(context, 0, count * frames), [samples * count, frames]),
              this.#frames,
              null,
            ),
            [samples * length, outputs],
          )
        : null;
      if (!this.#global) return local as Tensor;
      const whole = linear(
        columns(context, count * frames, count * frames + global),
        this.#global,
        null,
      );
      const rows = Int32Array.from({ length: samples * length }, (_, p) => Math.floor(p / length));
      const spread = gatherRows(whole, indicesOf(rows));
      return local ? add(local, spread) : spread;
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'waveCondition', ...this.options }) as Config;
  }
}

register<WaveConditionOptions & Config & { readonly kind: 'waveCondition' }>(
  'waveCondition',
  (config) => new WaveCondition(config),
);

function indicesOf(values: Int32Array): Tensor {
  return tensorOfArray(values, [values.length]);
}
