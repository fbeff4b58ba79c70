/**
 * Probability density distillation: a parallel student learns from a WaveNet by the divergence of its own samples.
 * Van den Oord et al. 2017, "Parallel WaveNet", section 3; Ping et al. 2018, "ClariNet", section 3.
 */
import { expected, FlowError } from '../errors';
import { ParallelWaveNet, type StudentPass, WaveNet } from '../models/wave';
import {
  add,
  affineScalar,
  cast,
  columns,
  exp,
  gatherRows,
  logSumExp,
  maximum,
  mean,
  mul,
  neg,
  type RandomStream,
  reshape,
  type StftOptions,
  softplus,
  square,
  stftPower,
  sub,
} from '../ops';
import { checkArgument, checkOptions, count, from0, object, one, type Rules } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { Loss } from './loss';

export interface DistillationOptions {
  /**
   * Draws of a moment by which the cross-entropy is estimated, beside the one that the next moments follow: they cost no
   * further pass of the teacher. Default 8. Not for a Gaussian teacher of a student with normal noise, whose divergence is
   * exact.
   */
  readonly draws?: number;
  /** λ of λ·(log σ_teacher − log σ_student)² in that case, which keeps it stable. Default 4, as in ClariNet. */
  readonly regularization?: number;
  /**
   * Weight of the power loss: the squared distance of the mean spectra |STFT|² of the student's sequences and of the training
   * rows. Default 1; 0: none, and the rows give the context only.
   */
  readonly power?: number;
  /** Default { window: 512, hop: 128 }, or as much as the rows have. */
  readonly stft?: StftOptions;
}

const normalConstant = 0.5 * Math.log(2 * Math.PI);

/**
 * Log-density of numbers under each moment's distribution of the teacher, continuous also where its levels are discrete.
 *
 * @param parameters [M, …] of {@link WaveNet.parametersOf}
 * @param x [M, 1]
 * @returns [M, 1]; of a mixture float64
 */
export function momentLogDensity(teacher: WaveNet, parameters: Tensor, x: Tensor): Tensor {
  if (teacher.likelihood.kind === 'normal') {
    const { mean: m, logScale } = teacher.normalOf(parameters);
    const z = mul(sub(x, m), exp(neg(logScale)));
    return affineScalar(add(affineScalar(square(z), 0.5), logScale), -1, -normalConstant);
  }
  const { components, leastLogScale } = teacher.likelihood;
  const part = (k: number) => columns(parameters, k * components, (k + 1) * components);
  const [logits, m] = [part(0), part(1)];
  const logScale = maximum(part(2), leastLogScale);
  const z = mul(sub(x, m), exp(neg(logScale)));
  // Logistic: −z − log s − 2·softplus(−z).
  const density = sub(neg(add(z, logScale)), affineScalar(softplus(neg(z)), 2));
  const joint = logSumExp(add(logits, density), -1);
  return reshape(sub(joint, logSumExp(logits, -1)), [x.rows, 1]);
}

const distillationRules: Rules<DistillationOptions> = {
  draws: count,
  regularization: from0,
  power: from0,
  stft: object,
};

/**
 * The loss for `fit(student, rows, { loss })`: the divergence KL(student ‖ teacher) a moment, in nats, of sequences that the
 * student draws, and the power loss. The entropy of the student is exact: log s + 2 (logistic) or log s + ½ log 2πe. `rows` are
 * numbers within [−1, 1], their context that of the draws.
 *
 * @param teacher a WaveNet with a logistic or normal likelihood, which is not changed
 * @throws FlowError ARGUMENT
 */
export function distillation(teacher: WaveNet, options: DistillationOptions = {}): Loss {
  checkArgument(
    'distillation',
    'teacher',
    teacher,
    one('a WaveNet', () => WaveNet),
  );
  checkOptions('distillation', options, distillationRules);
  const { draws = 8, regularization = 4, power = 1 } = options;
  if (teacher.likelihood.kind === 'categorical') {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'distillation',
        'teacher',
        'a logistic or normal likelihood',
        'categorical',
        'levels have no gradient: train the teacher with another likelihood',
      ),
    );
  }
  requireSize('distillation', 'draws', draws, 'more draws make less noise');
  return ({ model, x: rows, context, stream }) => {
    if (!(model instanceof ParallelWaveNet)) {
      throw new FlowError(
        'ARGUMENT',
        expected('distillation', 'model', 'a ParallelWaveNet', 'another model', 'fit the student'),
      );
    }
    return scope(() => {
      const [samples, length] = [rows.rows, rows.cols];
      const pass = model.pass(model.drawNoise(samples, length, stream), context);
      const parameters = teacher.parametersOf(pass.x, context);
      const exact = teacher.likelihood.kind === 'normal' && model.base === 'normal';
      const divergence = exact
        ? normalDivergence(teacher, parameters, pass, regularization)
        : sampledDivergence(teacher, parameters, pass, model, draws, stream);
      if (power === 0) return divergence;
      const window = Math.min(512, 2 * Math.floor(length / 2));
      const { stft = { window } } = options;
      return add(divergence, cast(affineScalar(powerLoss(pass.x, rows, stft), power), 'float64'));
    });
  };
}

/** KL of N(m_q, s_q²) from N(m_p, s_p²) and λ·(log s_p − log s_q)², mean over the moments: ClariNet, equations 6 to 8. */
function normalDivergence(
  teacher: WaveNet,
  parameters: Tensor,
  { mean: m, logScale: log }: StudentPass,
  regularization: number,
): Tensor {
  const of = teacher.normalOf(parameters);
  const [its, itsLog] = [reshape(of.mean, m.shape), reshape(of.logScale, m.shape)];
  const ratio = sub(itsLog, log);
  const apart = mul(sub(its, m), exp(neg(itsLog)));
  // log s_p/s_q + (s_q²/s_p² − 1 + ((m_p − m_q)/s_p)²)/2
  const squares = affineScalar(add(exp(affineScalar(ratio, -2)), square(apart)), 0.5, -0.5);
  const terms = [ratio, squares, affineScalar(square(ratio), regularization)];
  return cast(mean(terms.reduce(add)), 'float64');
}

/** Cross-entropy by further draws of each moment, the noise before it being given, less the entropy in closed form. */
function sampledDivergence(
  teacher: WaveNet,
  parameters: Tensor,
  pass: StudentPass,
  student: ParallelWaveNet,
  draws: number,
  stream: RandomStream,
): Tensor {
  const { mean: m, logScale } = pass;
  const scale = exp(logScale);
  const moments = m.rows * m.cols;
  const many = (tensor: Tensor) => {
    const rows = Int32Array.from({ length: draws * tensor.rows }, (_, i) => i % tensor.rows);
    return draws === 1 ? tensor : gatherRows(tensor, tensorOfArray(rows, [rows.length]));
  };
  const z = student.drawNoise(draws * m.rows, m.cols, stream);
  const x = reshape(add(mul(z, many(scale)), many(m)), [draws * moments, 1]);
  const density = mean(momentLogDensity(teacher, many(parameters), x));
  const constant = student.base === 'logistic' ? 2 : normalConstant + 0.5;
  return neg(
    add(cast(density, 'float64'), affineScalar(cast(mean(logScale), 'float64'), 1, constant)),
  );
}

/** Squared distance of the mean spectra, mean over frequencies; spectra in units of white noise of variance 1. */
function powerLoss(x: Tensor, rows: Tensor, stft: StftOptions): Tensor {
  // Σ of Hann's window squared is 3/8 of its length.
  const spectrum = (signal: Tensor) =>
    affineScalar(mean(stftPower(signal, stft), 0), 1 / ((3 / 8) * stft.window));
  return mean(square(sub(spectrum(x), spectrum(rows))));
}
