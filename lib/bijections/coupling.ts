/**
 * Coupling layers with any transformer: a part of the sample is transformed number by number, with parameters that a
 * network makes of the other part. Papamakarios et al. 2021, section 3.1. The affine one has a class of its own: AffineCoupling.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Conditioner } from '../nn/conditioner';
import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import { checkerboard, columns, concatColumns, gatherColumns, reshape } from '../ops';
import {
  count as aCount,
  checkArgument,
  checkOptions,
  count,
  dtype,
  object,
  one,
  type Rules,
  required,
} from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import {
  type CouplingSplit,
  checkConditioner,
  savedSplit,
  splitRule,
  transformedColumns,
} from './affineCoupling';
import { buildTransformer } from './autoregressive';
import { Bijection, type Forward, type Inverse } from './bijection';
import { initializeNetwork } from './couplingNetwork';
import type { Solved } from './solve';
import { Transformer } from './transformer';

export interface CouplingLayerOptions {
  /** C: columns of a position. */
  readonly channels: number;
  /** P: rows of a sample, 1 for a table, H·W for an image; D = P·C. Default 1. */
  readonly positions?: number;
  readonly split: CouplingSplit;
  readonly transformer: Transformer;
  /** Takes `inputs` columns and makes `outputs`: see {@link couplingSizes}. */
  readonly conditioner: Conditioner;
  readonly dtype?: FloatDType;
}

/** How many columns the conditioner of a coupling takes, and how many it makes. */
export function couplingSizes(
  channels: number,
  split: CouplingSplit,
  transformer: Pick<Transformer, 'paramsPerFeature'>,
): { inputs: number; outputs: number } {
  checkArgument('couplingSizes', 'channels', channels, aCount);
  checkArgument('couplingSizes', 'split', split, splitRule);
  checkArgument('couplingSizes', 'transformer', transformer, object);
  const each = transformer.paramsPerFeature;
  if (split.kind === 'checkerboard') return { inputs: channels, outputs: each * channels };
  const { count } = transformedColumns('Coupling', channels, split);
  return { inputs: channels - count, outputs: each * count };
}

const couplingRules: Rules<CouplingLayerOptions> = {
  channels: required(count),
  positions: count,
  split: required(splitRule),
  transformer: required(one('a Transformer', () => Transformer)),
  conditioner: required(one('a Conditioner', () => Conditioner)),
  dtype,
};

/** Both directions cost one pass of the network; the inverse also what the transformer's costs. */
export class Coupling extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly channels: number;
  readonly positions: number;
  readonly split: CouplingSplit;
  readonly dtype: FloatDType;
  readonly conditioner: Conditioner;
  readonly transformer: Transformer;
  /** Columns of a sample that stay and that are transformed; how to put them together again; columns of the params that count. */
  readonly #kept: Tensor;
  readonly #moved: Tensor;
  readonly #together: Tensor;
  readonly #params: Tensor | null;

  constructor(options: CouplingLayerOptions) {
    super();
    checkOptions('Coupling', options, couplingRules);
    const { channels, positions = 1, split, conditioner, transformer, dtype = 'float32' } = options;
    const { inputs, outputs } = couplingSizes(channels, split, transformer);
    checkConditioner('Coupling', { split, conditioner, positions }, inputs, outputs, {
      outputs: `${transformer.paramsPerFeature} parameters of each column`,
    });
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.contextFeatures = conditioner.contextFeatures;
    this.split = split;
    this.dtype = dtype;
    const isMoved = this.#isMoved();
    const all = Array.from({ length: this.features }, (_, k) => k);
    const [moved, kept] = [all.filter(isMoved), all.filter((k) => !isMoved(k))];
    const places = new Map([...kept, ...moved].map((k, place) => [k, place]));
    const indices = (values: readonly number[]) =>
      this.own(tensorOfArray(Int32Array.from(values), [values.length]));
    this.#kept = indices(kept);
    this.#moved = indices(moved);
    this.#together = indices(all.map((k) => places.get(k) as number));
    const each = transformer.paramsPerFeature;
    this.#params =
      split.kind === 'checkerboard'
        ? indices(moved.flatMap((k) => Array.from({ length: each }, (_, p) => k * each + p)))
        : null;
    this.conditioner = this.child('conditioner', conditioner);
    this.transformer = this.child('transformer', transformer);
  }

  /** Whether a column of a sample is transformed. */
  #isMoved(): (column: number) => boolean {
    const { channels, split } = this;
    if (split.kind === 'checkerboard') {
      const { width } = split.image;
      return (column) => {
        const pixel = Math.floor(column / channels);
        return (Math.floor(pixel / width) + (pixel % width)) % 2 === split.parity;
      };
    }
    const { start, count } = transformedColumns('Coupling', channels, split);
    return (column) => column % channels >= start && column % channels < start + count;
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { out, ...rest } = this.#map(x, context, (part, params) => {
        const { y, ...step } = this.transformer.forward(part, params);
        return { out: y, ...step };
      });
      return { y: out, ...rest };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { out, ...rest } = this.#map(y, context, (part, params) => {
        const { x, ...step } = this.transformer.inverse(part, params);
        return { out: x, ...step };
      });
      return { x: out, ...rest };
    });
  }

  #map(
    rows: Tensor,
    context: Tensor | null,
    transform: (part: Tensor, params: Tensor) => { out: Tensor; logDet: Tensor } & Solved,
  ) {
    const params = this.#paramsOf(rows, context);
    const { out, ...rest } = transform(gatherColumns(rows, this.#moved), params);
    const together = concatColumns([gatherColumns(rows, this.#kept), out]);
    return { out: gatherColumns(together, this.#together), ...rest };
  }

  /** [N, moved columns·P]; the part that stays is the same on both sides. */
  #paramsOf(rows: Tensor, context: Tensor | null): Tensor {
    const made = this.conditioner.apply(this.#seen(rows), this.#condition(context));
    const params = this.positions === 1 ? made : reshape(made, [rows.rows, -1]);
    return this.#params ? gatherColumns(params, this.#params) : params;
  }

  /** What the network sees. */
  #seen(rows: Tensor): Tensor {
    const { split, channels, positions } = this;
    const pixels = positions === 1 ? rows : reshape(rows, [rows.rows * positions, channels]);
    if (split.kind === 'checkerboard') return checkerboard(pixels, split.image, split.parity);
    const { start, count } = transformedColumns('Coupling', channels, split);
    return start === 0 ? columns(pixels, count, channels) : columns(pixels, 0, start);
  }

  #condition(context: Tensor | null): Tensor | null {
    return this.contextFeatures > 0 ? context : null;
  }

  override get initializes(): boolean {
    return this.conditioner.initializes;
  }

  /** The network first: then the rows that go on are those of the layers behind it. */
  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* initializeNetwork(this.conditioner, rows, context, (part, itsContext) => [
      this.#seen(part),
      this.#condition(itsContext),
    ]);
    yield* super.initialize(rows, context);
  }

  /** False where the network has batch norm: to run it again would move its running averages again. */
  override get rebuildable(): boolean {
    return !this.conditioner.hasBatchNorm;
  }

  config(): Config {
    return {
      kind: 'coupling',
      channels: this.channels,
      positions: this.positions,
      split: savedSplit(this.split),
      transformer: this.transformer.config(),
      conditioner: this.conditioner.config(),
      dtype: this.dtype,
    };
  }
}

type Saved = Omit<CouplingLayerOptions, 'conditioner' | 'transformer'> & {
  readonly kind: 'coupling';
  readonly conditioner: Config;
  readonly transformer: Config;
};

register<Saved & Config>('coupling', (config) => {
  const conditioner = build(config.conditioner);
  if (!(conditioner instanceof Conditioner)) {
    throw new FlowError(
      'FORMAT',
      expected(
        'Coupling',
        'conditioner',
        'a conditioner',
        `a ${conditioner.config().kind}`,
        'the file was written by another version',
      ),
    );
  }
  const transformer = buildTransformer('Coupling', config.transformer);
  return new Coupling({ ...config, conditioner, transformer });
});
