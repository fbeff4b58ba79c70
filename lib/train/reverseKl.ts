/**
 * Training without data: a flow is fitted to a density that is known up to a constant, by the reverse
 * Kullback–Leibler divergence. Papamakarios et al. 2021, "Normalizing Flows for Probabilistic Modeling and Inference",
 * section 2.3.2, eq. 17.
 */

import { expected, FlowError } from '../errors';
import { contextRows } from '../flows/context';
import { aFlow, type Flow } from '../flows/flow';
import { cast, mean, type RandomStream, reshape, sub } from '../ops';
import { requireTensor } from '../ops/check';
import { anything, callback, checkArgument, object } from '../options';
import { onDevice } from '../tensor/device';
import type { Rows } from '../tensor/input';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { type FitLossOptions, type FitLossResult, fitLoss } from './fitLoss';

export interface ReverseKlOptions extends FitLossOptions {
  /** Draws a step; default 256. */
  readonly samples?: number;
  /** Conditional flows: `samples` rows, the same in each step. */
  readonly context?: Rows | null;
}

/**
 * Fits a flow to an unnormalised density p̃: draws x from the flow, and makes the mean of log q(x) − log p̃(x) small
 * along the path of the draw. `iaf` draws, and differentiates, in one pass; other flows go through their slow direction.
 *
 * The loss is an upper bound of −log Z, the constant that p̃ lacks, and equal to it where the flow is the target.
 *
 * @param logDensity log p̃ of the rows x [N, D]: [N] or [N, 1], float32 or float64, made by differentiable ops
 * @throws FlowError ARGUMENT, also for bases that choose (GaussianMixture, Resampled); NUMERIC, FILE and FORMAT as {@link fitLoss}; SHAPE when logDensity does not give one number
 *   a row; UNSUPPORTED where the inverse of a layer has no gradient
 */
export async function fitReverseKl(
  flow: Flow,
  logDensity: (x: Tensor) => Tensor,
  options: ReverseKlOptions,
): Promise<FitLossResult> {
  checkArgument('fitReverseKl', 'flow', flow, aFlow);
  checkArgument('fitReverseKl', 'logDensity', logDensity, callback);
  checkArgument('fitReverseKl', 'options', options, object);
  const { samples = 256 } = options;
  const { base } = flow;
  if (!base.reparameterized && base.parameters().length > 0) {
    const kind = base.constructor.name;
    throw new FlowError(
      'ARGUMENT',
      expected(
        'fitReverseKl',
        'flow.base',
        'a distribution whose draws can be differentiated by its parameters',
        `a ${kind}`,
        'take a StandardNormal, DiagonalNormal or StudentT',
      ),
    );
  }
  const given = options.context ?? null;
  const context = onDevice(flow.device, () => contextOf(flow, given, samples));
  const loss = (stream: RandomStream) => reverseKlLoss(flow, logDensity, samples, stream, context);
  try {
    return await fitLoss(flow, loss, options, {
      where: 'fitReverseKl',
      setup: { samples },
      own: { samples: anything, context: anything },
    });
  } finally {
    context?.dispose();
  }
}

/** The context of each draw, for as long as the training lasts. */
function contextOf(flow: Flow, context: Rows | null, samples: number): Tensor | null {
  return scope(() => {
    const rows = contextRows('fitReverseKl', flow, context, samples);
    return rows === context ? (rows?.alias() ?? null) : rows;
  });
}

/** mean(log q(x) − log p̃(x)) of draws x of the flow. */
function reverseKlLoss(
  flow: Flow,
  logDensity: (x: Tensor) => Tensor,
  samples: number,
  stream: RandomStream,
  context: Tensor | null,
): Tensor {
  return scope(() => {
    const noise = flow.base.sample(samples, stream, 1);
    const { x, logDet } = flow.inverse(noise, context);
    const logQ = sub(flow.base.logProb(noise), logDet);
    const logTarget = logDensity(x);
    requireTensor('fitReverseKl', 'what logDensity gives', logTarget);
    if (logTarget.size !== samples) {
      throw new FlowError(
        'SHAPE',
        expected(
          'fitReverseKl',
          'logDensity',
          `one number a row: shape [${samples}]`,
          `[${logTarget.shape.join(', ')}]`,
          'sum over the columns',
        ),
      );
    }
    return mean(sub(logQ, reshape(cast(logTarget, 'float64'), [samples])));
  });
}
