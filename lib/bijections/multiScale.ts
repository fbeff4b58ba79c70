/**
 * Multi-scale architecture (Dinh et al., "Density estimation using Real NVP", 2017, section 3.6): after each scale but the
 * last half of the channels leaves, the other half goes on.
 *
 *     x ──scale 1──► [h₁ | z₁],   h₁ ──scale 2──► [h₂ | z₂],   …   h ──scale L──► z_L        y = [z₁ | z₂ | … | z_L]
 *
 * So the base stays one distribution of D features. A learned prior of what leaves, p(z | h) (Glow), is a coupling at the
 * end of the scale that transforms the second half of the channels given the first.
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import { add, columns, concatColumns, copyInto, reshape } from '../ops';
import { checkArgument, checkOptions, count, list, type Rules, required } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { emptyTensor, type Tensor } from '../tensor/tensor';
import { aBijection, Bijection, type Forward, type Inverse } from './bijection';
import { mergeSolves, type Solved, solved } from './solve';

export interface MultiScaleEntry {
  /** Of the features that the scale before lets through: all for the first, half as many for each further one. */
  readonly bijection: Bijection;
  /** Channels of what leaves the bijection, by position: the second half of them leaves the flow. */
  readonly channels: number;
}

const scaleRules: Rules<MultiScaleEntry> = {
  bijection: { ...aBijection, required: true },
  channels: required(count),
};

interface Split {
  /** Channels before the split. */
  readonly channels: number;
  readonly positions: number;
  /** Columns of y that what leaves here takes. */
  readonly start: number;
  readonly end: number;
}

export class MultiScale extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection: 'both' | 'forward' | 'inverse';
  readonly scales: readonly MultiScaleEntry[];
  /** One a scale but the last. */
  readonly #splits: readonly Split[];

  constructor(scales: readonly MultiScaleEntry[]) {
    super();
    checkArgument('MultiScale', 'scales', scales, list);
    for (const [k, scale] of scales.entries())
      checkOptions(`MultiScale scale ${k}`, scale, scaleRules);
    const first = scales[0];
    if (!first) {
      throw new FlowError(
        'ARGUMENT',
        expected('MultiScale', 'scales', 'at least one', 'none', 'pass the scales'),
      );
    }
    this.features = first.bijection.features;
    this.scales = scales.map(({ bijection, channels }) => ({ bijection, channels }));
    const splits: Split[] = [];
    let start = 0;
    let context = 0;
    for (const [k, { bijection, channels }] of scales.entries()) {
      const left = this.features - start;
      const where = `scale ${k}`;
      requireSize('MultiScale', `${where}: channels`, channels);
      if (bijection.features !== left) {
        throw new FlowError(
          'SHAPE',
          expected(
            'MultiScale',
            where,
            `${left} features, which the scales before let through`,
            String(bijection.features),
            'each scale halves the channels',
          ),
        );
      }
      if (bijection.contextFeatures > 0) {
        if (context > 0 && bijection.contextFeatures !== context) {
          throw new FlowError(
            'SHAPE',
            expected(
              'MultiScale',
              where,
              `context of ${context} columns`,
              String(bijection.contextFeatures),
              'all scales see the same context',
            ),
          );
        }
        context = bijection.contextFeatures;
      }
      this.child(String(k), bijection);
      if (k === scales.length - 1) break;
      if (channels % 2 !== 0 || left % channels !== 0) {
        throw new FlowError(
          'SHAPE',
          expected(
            'MultiScale',
            where,
            `an even number of channels that divides its ${left} features`,
            String(channels),
            'half of the channels leave: squeeze first',
          ),
        );
      }
      splits.push({ channels, positions: left / channels, start, end: start + left / 2 });
      start += left / 2;
    }
    this.#splits = splits;
    this.contextFeatures = context;
    const slow = new Set(scales.map(({ bijection }) => bijection.fastDirection));
    slow.delete('both');
    this.fastDirection = slow.size === 1 ? ([...slow][0] as 'forward' | 'inverse') : 'both';
  }

  /** What of y each scale gives, first to last, as [start, end) of its columns. */
  get parts(): readonly (readonly [number, number])[] {
    const inner = this.#splits.map(({ start, end }) => [start, end] as const);
    return [...inner, [this.#splits.at(-1)?.end ?? 0, this.features]];
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const parts: Tensor[] = [];
      let rest = x;
      let logDet: Tensor | null = null;
      let solve: Solved['solve'];
      for (const [k, { bijection }] of this.scales.entries()) {
        const step = bijection.forward(rest, this.contextFor(bijection, context));
        logDet = logDet === null ? step.logDet : add(logDet, step.logDet);
        solve = mergeSolves(solve, step.solve);
        const split = this.#splits[k];
        if (split) {
          const [kept, left] = halves(step.y, split);
          rest = reshape(kept, [x.rows, -1]);
          parts.push(reshape(left, [x.rows, -1]));
        } else parts.push(step.y);
      }
      return { y: concatColumns(parts), logDet: logDet as Tensor, ...solved(solve) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      let x = columns(y, ...(this.parts.at(-1) as readonly [number, number]));
      let logDet: Tensor | null = null;
      let solve: Solved['solve'];
      for (let k = this.scales.length - 1; k >= 0; k--) {
        const { bijection } = this.scales[k] as MultiScaleEntry;
        const split = this.#splits[k];
        if (split) {
          const half = [y.rows * split.positions, split.channels / 2];
          const left = columns(y, split.start, split.end);
          const joined = concatColumns([reshape(x, half), reshape(left, half)]);
          x = reshape(joined, [y.rows, bijection.features]);
        }
        const step = bijection.inverse(x, this.contextFor(bijection, context));
        x = step.x;
        logDet = logDet === null ? step.logDet : add(logDet, step.logDet);
        solve = mergeSolves(solve, step.solve);
      }
      return { x, logDet: logDet as Tensor, ...solved(solve) };
    });
  }

  /** False: each scale is a chain of its own, which rebuilds its activations itself. */
  override get rebuildable(): boolean {
    return false;
  }

  override *calibrate(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* this.#throughScales('calibrate', rows, context);
  }

  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    yield* this.#throughScales('initialize', rows, context);
  }

  /** Scale by scale: each sees what those before it let through. */
  *#throughScales(
    what: 'calibrate' | 'initialize',
    rows: Tensor,
    context: Tensor | null,
  ): Generator<void, void> {
    let rest = rows;
    try {
      for (const [k, { bijection }] of this.scales.entries()) {
        yield* bijection[what](rest, this.contextFor(bijection, context));
        const split = this.#splits[k];
        const [start, end] = this.parts[k] as readonly [number, number];
        if (!split) {
          if (rest !== rows) scope(() => copyInto(columns(rows, start, end), rest));
          break;
        }
        const before = rest;
        const next = emptyTensor([rows.rows, end - start], rows.dtype);
        scope(() => {
          const [kept, left] = halves(before, split);
          copyInto(next, reshape(kept, next.shape));
          copyInto(columns(rows, start, end), reshape(left, next.shape));
        });
        rest = next;
        if (before !== rows) before.dispose();
      }
    } finally {
      if (rest !== rows) rest.dispose();
    }
  }

  config(): Config {
    return {
      kind: 'multiScale',
      scales: this.scales.map(({ bijection, channels }) => ({
        bijection: bijection.config(),
        channels,
      })),
    };
  }
}

/** The first and the second half of the channels: views [N·positions, channels/2]. */
function halves(y: Tensor, { channels, positions }: Split): [Tensor, Tensor] {
  const pixels = reshape(y, [y.rows * positions, channels]);
  return [columns(pixels, 0, channels / 2), columns(pixels, channels / 2, channels)];
}

register<{ kind: 'multiScale'; scales: readonly { bijection: Config; channels: number }[] }>(
  'multiScale',
  (config) =>
    new MultiScale(
      config.scales.map(({ bijection, channels }) => ({
        bijection: build(bijection) as Bijection,
        channels,
      })),
    ),
);
