/**
 * A base whose density is shaped by rejection: learned accept/reject sampling (Bauer and Mnih 2019) as the base of a flow
 * (Stimper, Schölkopf, Hernández-Lobato 2022, "Resampling Base Distributions of Normalizing Flows"). A row z of the proposal q is accepted
 * with probability a(z), which a network learns; the T-th is taken in any case. With Z = E_q a(z) and α = (1 − Z)^(T − 1)
 *
 *     p(z) = q(z) · ((1 − α)·a(z)/Z + α)                                                            (their eq. 4)
 *
 * so that the base has holes and several modes where a map without them would have to tear space apart.
 */
import { withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Conditioner } from '../nn/conditioner';
import { Mlp, type MlpOptions } from '../nn/mlp';
import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import {
  add,
  affineScalar,
  cast,
  clamp,
  clone,
  concatColumns,
  concatRows,
  ema,
  expm1,
  full,
  gatherRows,
  log,
  log1p,
  logSigmoid,
  logSumExp,
  mean,
  neg,
  RandomStream,
  reshape,
  sigmoid,
  sub,
} from '../ops';
import { activationRule } from '../ops/activation';
import {
  anything,
  checkOptions,
  count,
  counts,
  dtype,
  flag,
  one,
  type Rules,
  required,
  seed,
} from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Distribution } from './distribution';
import { StandardNormal } from './standard';

export interface ResampledOptions extends Pick<MlpOptions, 'activation' | 'residual'> {
  /** D. */
  readonly features: number;
  /** Default: the standard normal. Learned ones must be differentiable by their draws: no mixtures. */
  readonly proposal?: Distribution;
  /** The network of log a/(1 − a): D inputs, one output. Default: an Mlp of `hidden`. */
  readonly network?: Conditioner;
  /** Hidden layers of the network; default [128, 128]. */
  readonly hidden?: readonly number[];
  /** T: proposals until one is taken in any case; default 100, as in the paper. */
  readonly truncation?: number;
  /** Part of a batch's estimate in the running average of Z; default 0.05, as in the paper's code. */
  readonly momentum?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Draws by which Z is estimated when a training ends: its standard error is below 0.4 % of √Z. */
const draws = 65536;
const chunk = 8192;
/** 1 − Z is not below: beyond, everything is accepted. */
const leastRejected = 1e-9;

const resampledRules: Rules<ResampledOptions> = {
  features: required(count),
  activation: activationRule,
  residual: flag,
  proposal: one('a Distribution', () => Distribution),
  network: one('a Conditioner', () => Conditioner),
  hidden: counts,
  truncation: count,
  momentum: anything,
  seed,
  dtype,
};

export class Resampled extends Distribution {
  override readonly features: number;
  override readonly dtype: FloatDType;
  readonly proposal: Distribution;
  readonly network: Conditioner;
  readonly truncation: number;
  readonly momentum: number;
  /** Z, float64 [1], state: a running average in training, estimated anew by a fixed set of draws at its end. */
  readonly normalizer: Tensor;
  readonly #decay: Tensor;

  constructor(options: ResampledOptions) {
    super();
    checkOptions('Resampled', options, resampledRules);
    const { features, truncation = 100, momentum = 0.05, seed = 0 } = options;
    const { dtype = options.proposal?.dtype ?? 'float32' } = options;
    const { proposal = new StandardNormal(features, dtype) } = options;
    const { hidden = [128, 128], activation = 'relu', residual = false } = options;
    const given = options.network;
    const network =
      given ?? new Mlp({ inputs: features, outputs: 1, hidden, activation, residual, seed, dtype });
    const check = (what: string, value: unknown, good: boolean, wanted: string, remedy: string) => {
      if (good) return;
      throw new FlowError('ARGUMENT', expected('Resampled', what, wanted, String(value), remedy));
    };
    const whole = Number.isSafeInteger(truncation) && truncation >= 2;
    check('truncation', truncation, whole, 'a whole number ≥ 2', 'the paper has 100');
    const part = momentum > 0 && momentum <= 1;
    check('momentum', momentum, part, 'a number in (0, 1]', 'the usual one is 0.05');
    const { inputs, outputs, contextFeatures, positions } = network;
    const fits = inputs * positions === features && outputs * positions === 1;
    const sizes = `${inputs * positions} → ${outputs * positions}`;
    check('network', sizes, fits && contextFeatures === 0, `${features} → 1`, 'without a context');
    const same = proposal.features === features && proposal.dtype === dtype;
    const of = `${proposal.features} of ${proposal.dtype}`;
    check('proposal', of, same, `${features} features of ${dtype}`, 'make them alike');
    const kind = proposal.constructor.name;
    const path = proposal.reparameterized || proposal.parameters().length === 0;
    check('proposal', kind, path, 'draws that follow its parameters', 'take a single one of them');
    this.features = features;
    this.dtype = dtype;
    this.truncation = truncation;
    this.momentum = momentum;
    this.proposal = this.child('proposal', proposal);
    this.network = this.child('network', network);
    this.normalizer = this.state('normalizer', full([1], 0.5, 'float64'));
    this.#decay = this.own(tensorOfArray(Float64Array.of(1 - momentum), []));
    this.estimate();
  }

  /** Which row is taken is decided by the network, and no gradient tells. */
  override get reparameterized(): boolean {
    return false;
  }

  /** log a/(1 − a) of rows, [N, 1]. */
  #logits(z: Tensor): Tensor {
    return this.network.apply(z, null);
  }

  /** Sets Z to the mean of a over many draws of the proposal, always the same ones. Its value. */
  estimate(): number {
    return this.here(() =>
      withoutTape(() => {
        const stream = new RandomStream(1);
        let total = 0;
        for (let k = 0; k < draws; k += chunk) {
          total += scope(() => {
            const accepted = sigmoid(this.#logits(this.proposal.sample(chunk, stream)));
            return mean(cast(accepted, 'float64')).item();
          });
        }
        stream.dispose();
        const value = (total * chunk) / draws;
        this.normalizer.write(Float64Array.of(value));
        return value;
      }),
    );
  }

  /** At the end of a training Z is estimated anew: what is in use already stays as it is. */
  override train(on = true): this {
    const ends = !on && this.training;
    super.train(on);
    if (ends) this.estimate();
    return this;
  }

  /** Z [1] with the gradient of this batch's estimate and the value of the running average, which moves. */
  #movingNormalizer(rows: number, stream: RandomStream): Tensor {
    const proposed = this.proposal.sample(rows, stream);
    const accepted = cast(sigmoid(this.#logits(proposed)), 'float64');
    const batch = reshape(mean(accepted), [1]);
    const fixed = withoutTape(() => clone(batch));
    ema(this.#decay, [fixed], [this.normalizer]);
    return add(clone(this.normalizer), sub(batch, fixed));
  }

  /**
   * @param stream in training: the draws by which Z and its gradient are estimated, as many as z has rows. Without it Z is a constant
   */
  protected override rowLogProb(z: Tensor, stream: RandomStream | null): Tensor {
    return scope(() => {
      const raw =
        this.training && stream ? this.#movingNormalizer(z.rows, stream) : this.normalizer;
      const normalizer = clamp(raw, leastRejected, 1 - leastRejected);
      // log α and log (1 − α).
      const logForced = affineScalar(log1p(neg(normalizer)), this.truncation - 1);
      const logChosen = log(neg(expm1(logForced)));
      const logAccepted = logSigmoid(cast(this.#logits(z), 'float64'));
      const chosen = add(logAccepted, sub(logChosen, log(normalizer)));
      const forced = add(logForced, full([z.rows, 1], 0, 'float64'));
      return add(this.proposal.logProb(z), logSumExp(concatColumns([chosen, forced]), -1));
    });
  }

  /** By rejection, all rows side by side: each round proposes for the rows that were refused so far. */
  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return withoutTape(() =>
      scope(() => {
        let waiting = Array.from({ length: samples }, (_, k) => k);
        const places = new Int32Array(samples);
        const taken: Tensor[] = [];
        let count = 0;
        for (let round = 1; waiting.length > 0; round++) {
          const rows = this.proposal.sample(waiting.length, stream, temperature);
          const last = round >= this.truncation;
          const accepted = scope(() => sigmoid(this.#logits(rows)).dataSync());
          const u = stream.uniformArray(waiting.length);
          const chosen: number[] = [];
          waiting = waiting.filter((place, k) => {
            if (!last && !((u[k] as number) < Number(accepted[k]))) return true;
            places[place] = count++;
            chosen.push(k);
            return false;
          });
          if (chosen.length > 0) {
            const indices = tensorOfArray(Int32Array.from(chosen), [chosen.length]);
            taken.push(gatherRows(rows, indices));
          }
        }
        if (taken.length === 0) return this.proposal.sample(0, stream, temperature);
        return gatherRows(concatRows(taken), tensorOfArray(places, [samples]));
      }),
    );
  }

  config(): Config {
    return {
      kind: 'resampled',
      features: this.features,
      proposal: this.proposal.config(),
      network: this.network.config(),
      truncation: this.truncation,
      momentum: this.momentum,
      dtype: this.dtype,
    };
  }
}

type Saved = Pick<ResampledOptions, 'features' | 'truncation' | 'momentum' | 'dtype'> & {
  readonly kind: 'resampled';
  readonly proposal: Config;
  readonly network: Config;
};

register<Saved & Config>('resampled', ({ proposal, network, ...rest }) => {
  const [base, made] = [build(proposal), build(network)];
  if (base instanceof Distribution && made instanceof Conditioner)
    return new Resampled({ ...rest, proposal: base, network: made });
  throw new FlowError(
    'FORMAT',
    expected('Resampled', 'config', 'a distribution and a network', 'others', 'damaged file'),
  );
});
