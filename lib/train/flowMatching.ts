/**
 * Flow matching: the field of a continuous flow is fitted to the velocities of straight paths from noise to data, without a solve.
 * Lipman et al. 2023, "Flow Matching for Generative Modeling", section 4.1; Tong et al. 2024, "Improving and Generalizing
 * Flow-Based Generative Models with Minibatch Optimal Transport".
 */
import { withoutTape } from '../autograd/tape';
import { Chain } from '../bijections/chain';
import { ContinuousFlow } from '../bijections/continuousFlow';
import { expected, FlowError } from '../errors';
import type { DensityModel } from '../flows/density';
import { Flow } from '../flows/flow';
import {
  add,
  affineScalar,
  floor,
  gatherRows,
  mean,
  mul,
  type RandomStream,
  square,
  sub,
  sum,
} from '../ops';
import { anything, checkOptions, number, type Rules } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { assign, squaredDistances } from './assignment';
import type { Loss } from './loss';

export interface FlowMatchingOptions {
  /**
   * Which noise belongs to which row of the batch. independent (default): any. optimal: the assignment of least squared distance
   * within the batch, exactly: straighter paths and fewer evaluations when sampling; it is O(N³) and runs op by op.
   */
  readonly coupling?: 'independent' | 'optimal';
  /** Spread of a path's end around its row, σ_min of the paper. Default 0. */
  readonly spread?: number;
}

/** The continuous flow of a model that is one. @throws FlowError ARGUMENT */
function continuousOf(model: DensityModel): { flow: Flow; continuous: ContinuousFlow } {
  const found = model instanceof Flow ? model.bijection : null;
  const only =
    found instanceof Chain && found.bijections.length === 1 ? found.bijections[0] : found;
  if (model instanceof Flow && only instanceof ContinuousFlow)
    return { flow: model, continuous: only };
  throw new FlowError(
    'ARGUMENT',
    expected(
      'flowMatching',
      'model',
      'a flow of one continuous bijection',
      model instanceof Flow ? `a flow of ${model.bijection.constructor.name}` : 'another model',
      'ffjord({ …, transforms: 1 }) makes one',
    ),
  );
}

const matchingRules: Rules<FlowMatchingOptions> = {
  coupling: anything,
  spread: number,
};

/**
 * The loss for `fit(flow, rows, { loss: flowMatching() })`: mean ‖f(z_t, t) − (x − (1 − σ)·ε)‖² with z_t = t·x + (1 − (1 − σ)·t)·ε, noise ε
 * of the base and times that are spread evenly over the batch. `flow` is one continuous bijection (`ffjord`); afterwards its
 * log-density is that of the exact equation, and so is the validation of `fit`. With independent coupling a step is recorded.
 *
 * @throws FlowError ARGUMENT
 */
export function flowMatching(options: FlowMatchingOptions = {}): Loss {
  checkOptions('flowMatching', options, matchingRules);
  const { coupling = 'independent', spread = 0 } = options;
  const fail = (what: string, wanted: string, got: unknown) => {
    throw new FlowError(
      'ARGUMENT',
      expected('flowMatching', what, wanted, String(got), 'leave it out for the default'),
    );
  };
  if (!['independent', 'optimal'].includes(coupling))
    fail('coupling', 'independent or optimal', coupling);
  if (!(spread >= 0 && spread < 1)) fail('spread', 'a number from 0, below 1', spread);
  return ({ model, x, context, stream }) => {
    const { flow, continuous } = continuousOf(model);
    return scope(() => {
      const { ends, noise, times } = withoutTape(() => {
        const ends = flow.preprocessing ? flow.preprocessing.forward(x).y : x;
        const drawn = flow.base.sample(ends.rows, stream, 1);
        const noise = coupling === 'optimal' ? nearest(ends, drawn) : drawn;
        return { ends, noise, times: evenTimes(ends.rows, stream, flow.dtype) };
      });
      const { endTime, field } = continuous;
      const [z, velocity] = withoutTape(() => {
        const keptNoise = affineScalar(mul(noise, times), -(1 - spread));
        const z = add(mul(ends, times), add(noise, keptNoise));
        return [z, sub(ends, affineScalar(noise, 1 - spread))];
      }) as [Tensor, Tensor];
      const moments = endTime === 1 ? times : affineScalar(times, endTime);
      const found = field.apply(z, moments, model.conditions ? model.conditions(context) : context);
      const off = sub(endTime === 1 ? found : affineScalar(found, endTime), velocity);
      return mean(sum(square(off), -1, { dtype: 'float64' }));
    });
  };
}

/** (u + n/N) mod 1: each uniform in [0, 1), all together spread evenly (Kingma et al. 2021, "Variational Diffusion Models"). */
function evenTimes(rows: number, stream: RandomStream, dtype: 'float32' | 'float64'): Tensor {
  const places = Float64Array.from({ length: rows }, (_, n) => n / rows);
  const held = dtype === 'float32' ? Float32Array.from(places) : places;
  const moved = add(tensorOfArray(held, [rows, 1]), stream.uniform([1, 1], dtype));
  return sub(moved, floor(moved));
}

/** The noise in the order of the rows that it is assigned to. Reads both. */
function nearest(rows: Tensor, noise: Tensor): Tensor {
  const cost = squaredDistances(rows.dataSync(), noise.dataSync(), rows.cols);
  if (!cost.every(Number.isFinite)) return noise;
  const { columns } = assign(cost);
  return gatherRows(noise, tensorOfArray(columns, [columns.length]));
}
