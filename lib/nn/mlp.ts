/** Multilayer perceptrons: the conditioners of coupling flows on tables. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { type Activation, activate, gatherColumns, mlp, RandomStream, reshape } from '../ops';
import { formatShape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { Linear } from './linear';
import { type Config, withoutUndefined } from './module';
import { register } from './registry';
import { requireWidths } from './widths';

export interface MlpOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Widths of the hidden layers. With `residual` all must be equal. */
  readonly hidden: readonly number[];
  /** Default relu. */
  readonly activation?: Activation;
  /** Width of a context; it enters the first hidden layer. Default 0: none. */
  readonly contextFeatures?: number;
  /** Rows of a sample, each mapped by the same network: 1 for a table, H·W for 1×1 convolutions of an image. Default 1. */
  readonly positions?: number;
  /** The hidden layers after the first in pairs, each pair with a connection around it (He et al. 2016; pre-activation). */
  readonly residual?: boolean;
  /** The last layer starts at zero, so that a coupling starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

export class Mlp extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly activation: Activation;
  readonly residual: boolean;
  readonly dtype: FloatDType;
  /** Hidden layers, first to last. */
  readonly hiddenLayers: readonly Linear[];
  readonly output: Linear;
  /** Context to the first hidden layer, without bias. */
  readonly contextLayer: Linear | null;
  /** Which column of the context's term each element of a sample's [positions, H] takes; null for one position. */
  readonly #spread: Tensor | null;
  readonly #layers: readonly Linear[];
  readonly #options: MlpOptions;

  constructor(options: MlpOptions) {
    super();
    checkSizes(options);
    const { inputs, outputs, hidden, contextFeatures = 0, positions = 1 } = options;
    this.#options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = positions;
    this.contextFeatures = contextFeatures;
    this.activation = options.activation ?? 'relu';
    this.residual = options.residual ?? false;
    this.dtype = options.dtype ?? 'float32';
    const { dtype } = this;
    // In a residual network activations stand before the layers (pre-activation), so the layers have none.
    const activation = this.residual ? 'none' : this.activation;
    const stream = new RandomStream(options.seed ?? 0);
    let width = inputs;
    this.hiddenLayers = hidden.map((units, index) => {
      const layer = new Linear(width, units, { activation, dtype }, stream);
      width = units;
      return this.child(`hidden.${index}`, layer);
    });
    const last = (options.zeroInitialized ?? true) ? null : stream;
    this.output = this.child('output', new Linear(width, outputs, { dtype }, last));
    this.#layers = [...this.hiddenLayers, this.output];
    const units = hidden[0] as number;
    this.contextLayer =
      contextFeatures > 0
        ? this.child('context', new Linear(contextFeatures, units, { bias: false, dtype }, stream))
        : null;
    stream.dispose();
    const spread = Int32Array.from({ length: units * positions }, (_, k) => k % units);
    this.#spread =
      this.contextLayer && positions > 1 ? this.own(tensorOfArray(spread, [spread.length])) : null;
  }

  override get outputBias(): Tensor | null {
    return this.output.bias;
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    if (x.shape.length !== 2 || x.cols !== this.inputs || x.rows % this.positions !== 0) {
      const rows = this.positions === 1 ? 'N' : `N·${this.positions}`;
      throw new FlowError(
        'SHAPE',
        expected(
          'Mlp',
          'x',
          `shape [${rows}, ${this.inputs}]`,
          formatShape(x.shape),
          'pass one row a position of each sample',
        ),
      );
    }
    return scope(() => {
      const term = this.#contextTerm(context, x.rows / this.positions);
      if (this.residual) return this.output.apply(this.#residualHidden(x, term));
      return mlp(x, this.#layers, { activation: this.activation, addend: term });
    });
  }

  #residualHidden(x: Tensor, term: Tensor | null): Tensor {
    const act = (t: Tensor) => activate(t, this.activation);
    let h = (this.hiddenLayers[0] as Linear).apply(x, term);
    for (let k = 1; k + 1 < this.hiddenLayers.length; k += 2) {
      const inner = (this.hiddenLayers[k] as Linear).apply(act(h));
      h = (this.hiddenLayers[k + 1] as Linear).apply(act(inner), h);
    }
    return act(h);
  }

  /** What the context adds to the first hidden layer: [N·positions, H], or null without context. */
  #contextTerm(context: Tensor | null, samples: number): Tensor | null {
    if (this.contextLayer === null) {
      if (context === null) return null;
      throw new FlowError(
        'SHAPE',
        expected(
          'Mlp',
          'context',
          'none',
          formatShape(context.shape),
          'build the network with contextFeatures',
        ),
      );
    }
    if (context === null || context.rows !== samples || context.cols !== this.contextFeatures) {
      throw new FlowError(
        'SHAPE',
        expected(
          'Mlp',
          'context',
          `shape [N, ${this.contextFeatures}] = [${samples}, ${this.contextFeatures}]`,
          context === null ? 'none' : formatShape(context.shape),
          'pass one row of context a sample',
        ),
      );
    }
    const term = this.contextLayer.apply(context);
    if (this.#spread === null) return term;
    return reshape(gatherColumns(term, this.#spread), [samples * this.positions, term.cols]);
  }

  config(): Config {
    return withoutUndefined({ kind: 'mlp', ...this.#options }) as Config;
  }
}

function checkSizes(options: MlpOptions): void {
  const { inputs, outputs, hidden, positions = 1, residual } = options;
  requireWidths('Mlp', { inputs, outputs, positions }, hidden);
  const uneven = hidden.length % 2 === 0 || hidden.some((units) => units !== hidden[0]);
  if (hidden.length === 0 || (residual && uneven)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'Mlp',
        'hidden',
        residual
          ? 'with residual: one layer and pairs of layers, all of the same width'
          : 'at least one layer',
        `[${hidden.join(', ')}]`,
        'pass for instance [256, 256, 256]',
      ),
    );
  }
}

register<MlpOptions & Config & { readonly kind: 'mlp' }>('mlp', (config) => new Mlp(config));
