/** Rows of which some features are known, in the model's space: what a search for the others starts from. */
import { expected, FlowError } from '../errors';
import { affineScalar, cast, full, mean, type RandomStream, sub, where } from '../ops';
import { isTable, type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { Held } from './ascent';
import { contextRows } from './context';
import type { Flow } from './flow';

export interface HeldRows extends Held {
  /** What moves, in the model's space. */
  readonly z: Tensor;
  readonly alpha: Tensor;
  /** As the caller has them. */
  readonly given: Tensor;
  readonly context: Tensor | null;
  /** Length of the data's interval in the model's space, as if it had been of length 1 before; 1 without an interval. */
  readonly span: number;
  /** Rows of the model's space in parts of the interval of the data, where there is one. */
  readonly seen: (x: Tensor) => Tensor;
}

export interface HeldRowsOptions {
  readonly context?: Rows | null;
  readonly range?: readonly [number, number];
  /** The others start from a draw of the flow; else from uniform numbers of the interval, without one from normal ones. */
  readonly sample?: boolean;
  readonly temperature?: number;
}

/** Aliases: they live until {@link disposeRows}, whatever scope surrounds the call. @throws FlowError SHAPE, DATA */
export function holdRows(
  flow: Flow,
  x: Rows,
  known: Rows,
  options: HeldRowsOptions,
  stream: RandomStream,
): HeldRows {
  const { features, dtype, preprocessing, dequantization } = flow;
  const range = options.range ?? (dequantization ? ([0, dequantization.levels] as const) : null);
  const toModel = (data: Tensor) => (preprocessing ? preprocessing.forward(data).y : data);
  return scope(() => {
    const rows = rowsTensor('inpaint', 'x', x, features, dtype);
    const count = rows.rows;
    const integer = rows.dtype === 'uint8' || rows.dtype === 'int32';
    const given = cast(rows, dtype);
    const mask = maskOf(flow, known, count);
    const shape = [count, features];
    const continuous = integer && dequantization ? flow.dequantize(rows, stream) : given;
    const context = contextRows('inpaint', flow, options.context ?? null, count);
    let start: Tensor;
    let span = 1;
    let bounds: readonly [Tensor, Tensor] | null = null;
    if (range) {
      const [low, high] = range;
      const at = (part: number) => toModel(full([1, features], low + part * (high - low), dtype));
      bounds = [at(0), at(1)];
      // Of the middle 98 %: the ends of a logit are far away.
      span = mean(sub(at(0.99), at(0.01))).item() / 0.98;
    }
    if (options.sample) {
      const latents = flow.base.sample(count, stream, options.temperature);
      start = flow.bijection.inverse(latents, flow.conditions(context)).x;
    } else if (range) {
      const [low, high] = range;
      start = toModel(affineScalar(stream.uniform(shape, dtype), high - low, low));
    } else start = stream.normal(shape, dtype);
    // What is unknown may be anything, also outside of the domain of the preprocessing.
    const middle = full([], range ? (range[0] + range[1]) / 2 : 0, dtype);
    const fixed = toModel(where(mask, continuous, middle));
    const own = (tensor: Tensor) => tensor.alias();
    return {
      z: own(where(mask, fixed, start)),
      alpha: own(full([1, 1], 0, dtype)),
      mask: own(mask),
      fixed: own(fixed),
      given: own(given),
      context: context && own(context),
      bounds: bounds && ([own(bounds[0]), own(bounds[1])] as const),
      span,
      seen: (row) => {
        if (!range) return row;
        const data = preprocessing ? preprocessing.inverse(row).x : row;
        const length = range[1] - range[0];
        return affineScalar(data, 1 / length, -range[0] / length);
      },
    };
  });
}

export function disposeRows({ z, alpha, mask, fixed, given, context, bounds }: HeldRows): void {
  for (const tensor of [z, alpha, mask, fixed, given, context, ...(bounds ?? [])])
    tensor?.dispose();
}

/** One row for each of `count`. */
function maskOf({ features, dtype }: Flow, known: Rows, count: number): Tensor {
  const mask = cast(rowsTensor('inpaint', 'known', known, features, dtype), dtype);
  if (mask.rows !== 1 && mask.rows !== count) {
    const wanted = `1 or ${count} rows`;
    const remedy = 'pass one mask for all rows, or one a row';
    const got = String(mask.rows);
    throw new FlowError('SHAPE', expected('inpaint', 'known', wanted, got, remedy));
  }
  const values = mask.dataSync();
  const odd = values.findIndex((value) => value !== 0 && value !== 1);
  if (odd >= 0) {
    const got = `${values[odd]} at ${odd}`;
    const source = isTable(known) && known.source ? ` of ${known.source}` : '';
    throw new FlowError(
      'DATA',
      expected('inpaint', `known${source}`, '0 and 1', got, '1 marks what is known'),
    );
  }
  const whole = new (values.constructor as Float64ArrayConstructor)(count * features);
  for (let n = 0; n < count; n++) {
    const from = mask.rows === 1 ? 0 : n * features;
    whole.set((values as Float64Array).subarray(from, from + features), n * features);
  }
  return tensorOfArray(whole, [count, features]);
}
