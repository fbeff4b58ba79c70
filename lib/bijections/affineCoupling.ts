/**
 * The affine coupling layer: a part of the sample is scaled and shifted by what a network makes of the other part.
 * Dinh, Krueger, Bengio 2015, "NICE"; Dinh, Sohl-Dickstein, Bengio 2017, "Density estimation using Real NVP", eqs. 7–8.
 */
import { withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Conditioner } from '../nn/conditioner';
import { constant } from '../nn/initialization';
import type { Config, Json } from '../nn/module';
import { build, register } from '../nn/registry';
import {
  affineCoupling,
  affineCouplingInverse,
  type CouplingOptions,
  type CouplingScale,
  checkCouplingScale,
  checkerboard,
  clone,
  columns,
  copyInto,
  reshape,
} from '../ops';
import {
  count as aCount,
  checkArgument,
  checkOptions,
  count,
  dtype,
  object,
  one,
  type Rule,
  type Rules,
  required,
  rule,
  sides,
} from '../options';
import type { ImageShape } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { initializeNetwork } from './couplingNetwork';

/**
 * Which part is transformed, and which the network sees:
 * - `columns`: the `first` columns (default: half, the larger one where it is uneven), or the second part, all behind them;
 * - `checkerboard`: the positions (h, w) with h + w even (parity 0) or odd (1); the network sees the whole image with these at zero.
 */
export type CouplingSplit =
  | {
      readonly kind: 'columns';
      readonly transformed: 'first' | 'second';
      readonly first?: number;
    }
  | {
      readonly kind: 'checkerboard';
      readonly image: Pick<ImageShape, 'height' | 'width'>;
      readonly parity: 0 | 1;
    };

/** As the op has it; `tanh` with a learned gain a column unless `learned` is false: then s = exp(tanh(raw)). */
export type CouplingScaleOption =
  | Exclude<CouplingScale, { readonly kind: 'atan' }>
  | { readonly kind: 'tanh'; readonly learned?: boolean }
  | { readonly kind: 'atan'; readonly bound?: number };

export interface AffineCouplingOptions {
  /** C: columns of a position. */
  readonly channels: number;
  /** P: rows of a sample, 1 for a table, H·W for an image; D = P·C. Default 1. */
  readonly positions?: number;
  readonly split: CouplingSplit;
  /** Default tanh with a learned gain, as in RealNVP. */
  readonly scale?: CouplingScaleOption;
  /** Takes `inputs` columns and makes `outputs`: see {@link conditionerSizes}. */
  readonly conditioner: Conditioner;
  readonly dtype?: FloatDType;
}

/** How many columns the conditioner of a coupling takes, and how many it makes. */
export function conditionerSizes(
  channels: number,
  split: CouplingSplit,
  scale: CouplingScaleOption = { kind: 'tanh' },
): { inputs: number; outputs: number } {
  checkArgument('conditionerSizes', 'channels', channels, aCount);
  checkArgument('conditionerSizes', 'split', split, splitRule);
  const each = scale.kind === 'additive' ? 1 : 2;
  if (split.kind === 'checkerboard') return { inputs: channels, outputs: each * channels };
  const { count } = transformedColumns('AffineCoupling', channels, split);
  return { inputs: channels - count, outputs: each * count };
}

/** The range of columns that is transformed. */
export function transformedColumns(
  where: string,
  channels: number,
  split: CouplingSplit & { kind: 'columns' },
): { start: number; count: number } {
  const { transformed, first = Math.ceil(channels / 2) } = split;
  if (transformed !== 'first' && transformed !== 'second') {
    const remedy = 'say which part of the columns is transformed';
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'split.transformed', 'first or second', String(transformed), remedy),
    );
  }
  if (!(Number.isInteger(first) && first >= 1 && first < channels)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'split',
        `columns on both sides: first from 1 to ${channels - 1}`,
        `${first} of ${channels} columns first`,
        'a coupling needs two columns at least, or a checkerboard',
      ),
    );
  }
  return transformed === 'first'
    ? { start: 0, count: first }
    : { start: first, count: channels - first };
}

/** What `split` must be. */
export const splitRule: Rule = rule(
  "{ kind: 'columns', transformed: 'first' or 'second' } or { kind: 'checkerboard', image, parity: 0 or 1 }",
  (value) => {
    const split = value as CouplingSplit;
    if (typeof split !== 'object' || split === null) return false;
    if (split.kind === 'columns')
      return split.transformed === 'first' || split.transformed === 'second';
    return (
      split.kind === 'checkerboard' && sides.takes(split.image) && [0, 1].includes(split.parity)
    );
  },
  'pass one',
);

const affineCouplingRules: Rules<AffineCouplingOptions> = {
  channels: required(count),
  positions: count,
  split: required(splitRule),
  scale: object,
  conditioner: required(one('a Conditioner', () => Conditioner)),
  dtype,
};

/** y = x·s + t on the transformed part. Both directions cost one pass of the network. */
export class AffineCoupling extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly channels: number;
  readonly positions: number;
  readonly split: CouplingSplit;
  readonly scale: CouplingScaleOption;
  readonly dtype: FloatDType;
  readonly conditioner: Conditioner;
  /** The learned factor of each transformed column in `tanh`, [c]; starts at 1. */
  readonly gain: Tensor | null;
  readonly #options: CouplingOptions;
  /** Columns that the network sees. */
  readonly #seenColumns: readonly [number, number];

  constructor(options: AffineCouplingOptions) {
    super();
    checkOptions('AffineCoupling', options, affineCouplingRules);
    const { channels, positions = 1, split, conditioner, dtype = 'float32' } = options;
    const { scale = { kind: 'tanh' } } = options;
    const { inputs, outputs } = conditionerSizes(channels, split, scale);
    checkConditioner('AffineCoupling', options, inputs, outputs);
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.contextFeatures = conditioner.contextFeatures;
    this.split = split;
    this.scale = scale;
    this.dtype = dtype;
    const isColumns = split.kind === 'columns';
    const { start, count } = isColumns
      ? transformedColumns('AffineCoupling', channels, split)
      : { start: 0, count: channels };
    this.#seenColumns = isColumns && start === 0 ? [count, channels] : [0, start];
    this.gain =
      scale.kind === 'tanh' && (!('learned' in scale) || scale.learned !== false)
        ? this.parameter('gain', constant([count], 1, dtype))
        : null;
    const map: CouplingScale =
      scale.kind === 'atan' ? { kind: 'atan', bound: scale.bound ?? 2 } : { kind: scale.kind };
    checkCouplingScale('AffineCoupling', map);
    this.#options = {
      scale: map,
      gain: this.gain,
      positions,
      start,
      checkerboard: isColumns ? null : { width: split.image.width, parity: split.parity },
    };
    this.conditioner = this.child('conditioner', conditioner);
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const rows = this.#rows(x);
      const { y, logDet } = affineCoupling(rows, this.#params(rows, context), this.#options);
      return { y: this.#sample(y), logDet };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const rows = this.#rows(y);
      const { x, logDet } = affineCouplingInverse(rows, this.#params(rows, context), this.#options);
      return { x: this.#sample(x), logDet };
    });
  }

  override get initializes(): boolean {
    return this.conditioner.initializes;
  }

  /** The network first: then the rows that go on are those of the layers behind it. */
  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* initializeNetwork(this.conditioner, rows, context, (part, itsContext) => [
      this.#seen(this.#rows(part)),
      this.#condition(itsContext),
    ]);
    yield* super.initialize(rows, context);
  }

  /** False where the network has batch norm: to run it again would move its running averages again. */
  override get rebuildable(): boolean {
    return !this.conditioner.hasBatchNorm;
  }

  /** The network runs once: what it sees of x it finds in y. */
  override rebuild(
    y: Tensor,
    context: Tensor | null,
    watch: (x: Tensor) => void,
  ): Forward & { readonly x: Tensor } {
    return scope(() => {
      const x = withoutTape(() => clone(y));
      watch(x);
      const rows = this.#rows(x);
      const params = this.#params(rows, context);
      withoutTape(() =>
        copyInto(rows, affineCouplingInverse(this.#rows(y), params, this.#options).x),
      );
      const step = affineCoupling(rows, params, this.#options);
      return { x, y: this.#sample(step.y), logDet: step.logDet };
    });
  }

  /** The part that is not transformed is the same on both sides: so are the parameters. */
  #params(rows: Tensor, context: Tensor | null): Tensor {
    return this.conditioner.apply(this.#seen(rows), this.#condition(context));
  }

  /** What the network sees. */
  #seen(rows: Tensor): Tensor {
    const { split } = this;
    return split.kind === 'checkerboard'
      ? checkerboard(rows, split.image, split.parity)
      : columns(rows, ...this.#seenColumns);
  }

  #condition(context: Tensor | null): Tensor | null {
    return this.contextFeatures > 0 ? context : null;
  }

  #rows(x: Tensor): Tensor {
    return this.positions === 1 ? x : reshape(x, [x.rows * this.positions, this.channels]);
  }

  #sample(rows: Tensor): Tensor {
    return this.positions === 1 ? rows : reshape(rows, [-1, this.features]);
  }

  config(): Config {
    return {
      kind: 'affineCoupling',
      channels: this.channels,
      positions: this.positions,
      split: savedSplit(this.split),
      scale: { ...this.scale },
      conditioner: this.conditioner.config(),
      dtype: this.dtype,
    };
  }
}

/** @throws FlowError SHAPE where the conditioner does not fit the coupling */
export function checkConditioner(
  where: string,
  options: Pick<AffineCouplingOptions, 'positions' | 'split' | 'conditioner'>,
  inputs: number,
  outputs: number,
  words = { outputs: 'shift and raw scale of each column' },
): void {
  const { positions = 1, split, conditioner } = options;
  const numbers: [string, number, number, string][] = [
    ['conditioner.inputs', conditioner.inputs, inputs, 'the columns that are not transformed'],
    ['conditioner.outputs', conditioner.outputs, outputs, words.outputs],
    ['conditioner.positions', conditioner.positions, positions, 'those of the coupling'],
  ];
  if (split.kind === 'checkerboard') {
    const { height, width } = split.image;
    numbers.push(['split.image', height * width, positions, 'the positions of the coupling']);
  }
  for (const [what, got, wanted, why] of numbers) {
    if (got === wanted) continue;
    throw new FlowError(
      'SHAPE',
      expected(where, what, `${wanted}`, `${got}`, `it must be ${wanted}: ${why}`),
    );
  }
}

/** The split as JSON: of an image only what counts here. */
export function savedSplit(split: CouplingSplit): Json {
  if (split.kind === 'columns') return { ...split };
  const { height, width } = split.image;
  return { ...split, image: { height, width } };
}

type Saved = Omit<AffineCouplingOptions, 'conditioner'> & {
  readonly kind: 'affineCoupling';
  readonly conditioner: Config;
};

register<Saved & Config>('affineCoupling', (config) => {
  const conditioner = build(config.conditioner);
  if (conditioner instanceof Conditioner) return new AffineCoupling({ ...config, conditioner });
  throw new FlowError(
    'FORMAT',
    expected(
      'AffineCoupling',
      'conditioner',
      'a conditioner',
      `a ${conditioner.config().kind}`,
      'the file was written by another version',
    ),
  );
});
