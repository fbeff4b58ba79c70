/**
 * The block of residual flows, y = x + g(x) with a network g of a Lipschitz constant below 1. Behrmann et al. 2019, "Invertible
 * Residual Networks"; Chen et al. 2019, "Residual Flows for Invertible Generative Modeling".
 */
import { pullback } from '../autograd/gradient';
import { isTracked, record, withoutTape } from '../autograd/tape';
import { emitWarning, expected, FlowError } from '../errors';
import { type Linearization, LipschitzNet } from '../nn/lipschitzNet';
import type { Config, Json } from '../nn/module';
import { build, register } from '../nn/registry';
import { add, neg, RandomStream, reshape, sub } from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { checkOptions, object, one, type Rules, required, seed } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { checkFixedPoint, type FixedPointOptions, fixedPoint } from './fixedPoint';
import { checkEstimator, LogDet, type LogDetEstimator, savedEstimator } from './logDetEstimator';
import { type SolveReport, unsolvedRows } from './solve';

export interface ResidualBlockOptions {
  /** g. */
  readonly network: LipschitzNet;
  /** How log-dets are computed in training. Default: exact up to 4 features, else roulette. */
  readonly training?: LogDetEstimator;
  /** And out of it. Default: exact up to 64 features, else a series of 20 terms; its probes follow from `seed` alone. */
  readonly use?: LogDetEstimator;
  /** Of the inverse. */
  readonly solver?: FixedPointOptions;
  /** Of probes and lengths. */
  readonly seed?: number;
}

const residualBlockRules: Rules<ResidualBlockOptions> = {
  network: required(one('a LipschitzNet', () => LipschitzNet)),
  training: object,
  use: object,
  solver: object,
  seed,
};

/**
 * One pass forward; the inverse is a fixed point, x = y − g(x), with Anderson acceleration, and reports how it went. Its
 * gradient is that of the implicit function theorem. In training the state of the random numbers moves on at each forward
 * pass, and the singular vectors of the network with it.
 */
export class ResidualBlock extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection = 'forward' as const;
  readonly network: LipschitzNet;
  readonly estimators: { readonly training: LogDetEstimator; readonly use: LogDetEstimator };
  readonly solver: FixedPointOptions;
  readonly seed: number;
  readonly #logDet: { readonly training: LogDet; readonly use: LogDet };
  readonly #stream: RandomStream;

  constructor(options: ResidualBlockOptions) {
    super();
    checkOptions('ResidualBlock', options, residualBlockRules);
    const { network, solver = {}, seed = 0 } = options;
    const { channels, positions, dtype } = network;
    const features = channels * positions;
    this.features = features;
    this.contextFeatures = network.contextFeatures;
    const {
      training = features <= 4 ? { kind: 'exact' } : { kind: 'roulette' },
      use = features <= 64 ? { kind: 'exact' } : { kind: 'series', terms: 20 },
    } = options;
    checkEstimator('ResidualBlock', 'training', training);
    checkEstimator('ResidualBlock', 'use', use);
    checkFixedPoint('ResidualBlock', solver);
    this.estimators = { training, use };
    this.solver = solver;
    this.seed = seed;
    this.network = this.child('network', network);
    const logDet = (estimator: LogDetEstimator) =>
      new LogDet(estimator, features, positions, dtype, (tensor) => this.own(tensor));
    this.#logDet = { training: logDet(training), use: logDet(use) };
    // Apart from the network's numbers, where both have one seed.
    this.#stream = new RandomStream(seed + 15485863);
    this.state('random', this.#stream.state);
  }

  /** False: the inverse is good to its tolerance only, and log-dets are drawn. */
  override get rebuildable(): boolean {
    return false;
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      if (this.training) this.network.advance();
      const at = this.network.linearize(this.#rows(x), context);
      return { y: add(x, reshape(at.out, x.shape)), logDet: this.#logDetOf(at, x.rows) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      if (this.training) this.network.advance();
      const { x, solve } = this.#solve(y, context);
      const at = this.network.linearize(this.#rows(x), context);
      return { x, logDet: neg(this.#logDetOf(at, x.rows)), solve };
    });
  }

  #logDetOf(at: Linearization, samples: number): Tensor {
    if (this.training) return this.#logDet.training.of(at, samples, this.#stream);
    const { use } = this.#logDet;
    // Outside of training the numbers are the same at each call: a function of the model and the place in the batch.
    const stream = use.draws ? new RandomStream(this.seed + 1) : null;
    try {
      return use.of(at, samples, stream);
    } finally {
      stream?.dispose();
    }
  }

  #rows(x: Tensor): Tensor {
    const { channels, positions } = this.network;
    return positions === 1 ? x : reshape(x, [x.rows * positions, channels]);
  }

  #solve(y: Tensor, context: Tensor | null): { x: Tensor; solve: SolveReport } {
    const { network, solver } = this;
    const parameters = network.parameters();
    const found = withoutTape(() =>
      scope(() => {
        const g = network.fixed(context, y.rows);
        return fixedPoint((x) => sub(y, reshape(g(this.#rows(x)), x.shape)), y, solver);
      }),
    );
    const inputs = [y, context, ...parameters];
    if (!isTracked(inputs)) return found;
    const kept = [found.x, ...(context ? [context] : [])];
    record('residualInverse', inputs, [found.x], kept, (saved, [dx], needs) => {
      if (!dx) return [];
      const its = context ? (saved[1] as Tensor) : null;
      refuseSecondGradient('ResidualBlock', [...saved, dx, ...parameters]);
      return scope(() => this.#implicit(saved[0] as Tensor, its, dx, needs));
    });
    return found;
  }

  /** x + g(x) = y: dy = (I + Jᵀ)⁻¹dx, a fixed point of dx − Jᵀdy; what is before g gets −dyᵀ·∂g. */
  #implicit(
    x: Tensor,
    context: Tensor | null,
    dx: Tensor,
    needs: readonly boolean[],
  ): (Tensor | null)[] {
    const { network, solver } = this;
    const { x: dy, solve } = scope(() => {
      const { vjp } = network.linearize(this.#rows(x), context);
      return fixedPoint((u) => sub(dx, reshape(vjp(this.#rows(u)), u.shape)), dx, solver, 0);
    });
    const unsolved = unsolvedRows(solve);
    if (unsolved > 0)
      emitWarning(
        `[ResidualBlock] the gradient of the inverse did not converge in ${unsolved} of ${dx.rows} rows`,
      );
    const [wantsY, wantsContext, ...wanted] = needs;
    if (!wantsContext && !wanted.includes(true)) return [wantsY ? dy : null];
    const parameters = network.parameters();
    const { gradients } = pullback(
      (watch) => {
        for (const leaf of [...parameters, context]) if (leaf) watch(leaf);
        const by = [...parameters, ...(context ? [context] : [])];
        return { outputs: [network.apply(this.#rows(x), context)], by };
      },
      [reshape(neg(dy), this.#rows(x).shape)],
    );
    const byContext = context ? (gradients.pop() ?? null) : null;
    return [wantsY ? dy : null, wantsContext ? byContext : null, ...gradients];
  }

  config(): Config {
    return {
      kind: 'residualBlock',
      network: this.network.config(),
      training: savedEstimator(this.estimators.training),
      use: savedEstimator(this.estimators.use),
      solver: { ...this.solver } as Json,
      seed: this.seed,
    };
  }
}

type Saved = Omit<ResidualBlockOptions, 'network'> & { network: Config };

register<Saved & Config & { kind: 'residualBlock' }>('residualBlock', (config) => {
  const network = build(config.network);
  if (!(network instanceof LipschitzNet)) {
    throw new FlowError(
      'FORMAT',
      expected(
        'ResidualBlock',
        'network',
        'a lipschitzNet',
        config.network.kind,
        'the file is damaged',
      ),
    );
  }
  return new ResidualBlock({ ...config, network });
});
