/**
 * What lies between data: the latent space of a flow, where a straight line is a meaningful one. Kingma and Dhariwal, "Glow",
 * 2018, section 5 (figures 5 and 6): interpolation between two rows, and attributes as directions.
 */
import { typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { add, cast, gatherRows, rowsView } from '../ops';
import {
  anything,
  array,
  checkArgument,
  checkOptions,
  count,
  flag,
  list,
  picked,
  type Rules,
} from '../options';
import { type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { Tensor, tensorOfArray } from '../tensor/tensor';
import { inChunks } from './chunks';
import { contextRows } from './context';
import type { Flow } from './flow';
import { aFlow } from './flow';

export interface LatentOptions {
  /** One row of context for all, or one a row. */
  readonly context?: Rows | null;
}

export interface DecodeOptions extends LatentOptions {
  /** Round dequantised data down to integers. Default true where the flow has a dequantisation. */
  readonly quantize?: boolean;
}

const latentRules: Rules<LatentOptions> = { context: anything };
const decodeRules: Rules<DecodeOptions> = { ...latentRules, quantize: flag };

/**
 * The latent rows of data. Integers of a flow with a dequantisation are taken as the middle of their bin, k + ½: no noise,
 * so the same row has the same code.
 *
 * @param x [N, D] in the data's space
 * @returns [N, D] in the base's space
 */
export function encode(flow: Flow, x: Rows, options: LatentOptions = {}): Tensor {
  checkArgument('encode', 'flow', flow, aFlow);
  checkOptions('encode', options, latentRules);
  return scope(() => {
    const rows = rowsTensor('encode', 'x', x, flow.features, flow.dtype);
    const integer = rows.dtype === 'uint8' || rows.dtype === 'int32';
    const context = contextRows('encode', flow, options.context ?? null, rows.rows);
    return inChunks(rows, context, (part, itsContext) => {
      const floats = cast(part, flow.dtype);
      return flow.forward(integer && flow.dequantization ? add(floats, 0.5) : floats, itsContext).y;
    });
  });
}

/** The data of latent rows: the way back from {@link encode}. @param z [N, D] */
export function decode(flow: Flow, z: Rows, options: DecodeOptions = {}): Tensor {
  checkArgument('decode', 'flow', flow, aFlow);
  checkOptions('decode', options, decodeRules);
  return scope(() => {
    const rows = cast(rowsTensor('decode', 'z', z, flow.features, flow.dtype), flow.dtype);
    const context = contextRows('decode', flow, options.context ?? null, rows.rows);
    const x = inChunks(rows, context, (part, itsContext) => flow.inverse(part, itsContext).x);
    return options.quantize === false ? x : flow.quantize(x);
  });
}

export interface InterpolateOptions extends DecodeOptions {
  /**
   * `linear` (the default, Glow's): a straight line. `spherical`: an arc, on which the distance from the origin goes evenly from
   * that of a to that of b; points of a straight line between two codes of many dimensions lie nearer to the origin than
   * either.
   */
  readonly path?: 'linear' | 'spherical';
}

/**
 * Rows between a and b, by steps in the latent space.
 *
 * @param a, b [N, D] in the data's space, as many rows each
 * @param steps rows of each pair, its ends included: at least 2
 * @returns [N·steps, D]: the steps of the first pair, of the second, …
 * @throws FlowError SHAPE, ARGUMENT
 */
export function interpolate(
  flow: Flow,
  a: Rows,
  b: Rows,
  steps: number,
  options: InterpolateOptions = {},
): Tensor {
  checkArgument('interpolate', 'flow', flow, aFlow);
  checkOptions('interpolate', options, { ...decodeRules, path: anything });
  const { path = 'linear', context = null } = options;
  if (!Number.isSafeInteger(steps) || steps < 2) {
    const got = String(steps);
    const remedy = 'both ends are steps';
    throw new FlowError(
      'ARGUMENT',
      expected('interpolate', 'steps', 'a whole number from 2', got, remedy),
    );
  }
  if (path !== 'linear' && path !== 'spherical') {
    const sentence = expected(
      'interpolate',
      'path',
      'linear or spherical',
      String(path),
      'choose one',
    );
    throw new FlowError('ARGUMENT', sentence);
  }
  return scope(() => {
    const from = encode(flow, a, { context });
    const to = encode(flow, b, { context });
    if (from.rows !== to.rows) {
      const remedy = 'pass pairs of rows';
      const got = String(to.rows);
      throw new FlowError(
        'SHAPE',
        expected('interpolate', 'b', `${from.rows} rows, as a`, got, remedy),
      );
    }
    const [starts, ends] = [from.dataSync(), to.dataSync()];
    const width = flow.features;
    const z = typedArray(flow.dtype, from.rows * steps * width);
    for (let n = 0; n < from.rows; n++) {
      const start = starts.subarray(n * width, (n + 1) * width);
      const end = ends.subarray(n * width, (n + 1) * width);
      const weights = path === 'linear' ? line : arc(start, end);
      for (let k = 0; k < steps; k++) {
        const [u, v] = weights(k / (steps - 1));
        const at = (n * steps + k) * width;
        for (let i = 0; i < width; i++)
          z[at + i] = u * (start[i] as number) + v * (end[i] as number);
      }
    }
    const rows = tensorOfArray(z, [from.rows * steps, width]);
    return decode(flow, rows, {
      ...picked(options, decodeRules),
      context: repeated(flow, context, from.rows, steps),
    });
  });
}

type Weights = (t: number) => readonly [number, number];

const line: Weights = (t) => [1 - t, t];

/** Weights of the ends along the arc between their directions; the distance from the origin is interpolated for itself. */
function arc(a: ArrayLike<number>, b: ArrayLike<number>): Weights {
  const dot = (u: ArrayLike<number>, v: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < u.length; i++) sum += (u[i] as number) * (v[i] as number);
    return sum;
  };
  const [normA, normB] = [Math.sqrt(dot(a, a)), Math.sqrt(dot(b, b))];
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / (normA * normB))));
  // Ends in one direction, or opposite, have no arc between them that is theirs alone.
  if (!(Math.sin(angle) > 1e-6)) return line;
  return (t) => {
    const norm = (1 - t) * normA + t * normB;
    const u = (norm * Math.sin((1 - t) * angle)) / (Math.sin(angle) * normA);
    const v = (norm * Math.sin(t * angle)) / (Math.sin(angle) * normB);
    return [u, v];
  };
}

/** The context of each step: that of its pair. */
function repeated(flow: Flow, context: Rows | null, pairs: number, steps: number): Rows | null {
  const rows = contextRows('interpolate', flow, context, pairs);
  const pairOf = Int32Array.from({ length: pairs * steps }, (_, k) => Math.floor(k / steps));
  return rows && gatherRows(rows, tensorOfArray(pairOf, [pairOf.length]));
}

/** Rows that are encoded at once. */
const chunkRows = 512;

/**
 * Attributes as directions of the latent space: for each class the mean code of its rows minus the mean code of all other
 * rows (Glow, section 5: z_pos − z_neg).
 *
 * @param x [N, D] in the data's space
 * @param labels [N], 0 … K − 1
 * @returns [K, D] of the flow's type
 * @throws FlowError DATA for a label that cannot be, and for a class without rows or with all of them
 */
export function attributeDirections(
  flow: Flow,
  x: Rows,
  labels: ArrayLike<number>,
  options: LatentOptions & { readonly classes?: number } = {},
): Tensor {
  checkArgument('attributeDirections', 'flow', flow, aFlow);
  checkOptions('attributeDirections', options, { ...latentRules, classes: count });
  checkArgument('attributeDirections', 'labels', labels, array);
  const where = 'attributeDirections';
  let most = 0;
  for (let n = 0; n < labels.length; n++) most = Math.max(most, labels[n] as number);
  const { classes = most + 1 } = options;
  return scope(() => {
    const rows = rowsTensor(where, 'x', x, flow.features, flow.dtype);
    if (rows.rows !== labels.length) {
      throw new FlowError(
        'SHAPE',
        expected(
          where,
          'labels',
          `${rows.rows}, one a row`,
          String(labels.length),
          'pass a label a row',
        ),
      );
    }
    const context = contextRows(where, flow, options.context ?? null, rows.rows);
    const width = flow.features;
    const sums = Array.from({ length: classes }, () => new Float64Array(width));
    const counts = new Float64Array(classes);
    for (let first = 0; first < rows.rows; first += chunkRows) {
      const last = Math.min(rows.rows, first + chunkRows);
      const codes = scope(() => {
        const part = rowsView(rows, first, last);
        return encode(flow, part, {
          context: context && rowsView(context, first, last),
        }).dataSync();
      });
      for (let n = first; n < last; n++) {
        const label = labels[n] as number;
        const sum = sums[label];
        if (!sum) {
          const range = `a whole number from 0 to ${classes - 1}`;
          const sentence = expected(where, `labels[${n}]`, range, String(label), 'correct it');
          throw new FlowError('DATA', sentence);
        }
        counts[label]! += 1;
        for (let i = 0; i < width; i++) sum[i]! += codes[(n - first) * width + i] as number;
      }
    }
    const directions = typedArray(flow.dtype, classes * width);
    for (let k = 0; k < classes; k++) {
      const [own, others] = [counts[k] as number, rows.rows - (counts[k] as number)];
      if (own === 0 || others === 0) {
        const got = `${own} of ${rows.rows}`;
        const remedy = 'pass rows with the attribute and without it';
        throw new FlowError(
          'DATA',
          expected(where, `rows of class ${k}`, 'some, and some of others', got, remedy),
        );
      }
      for (let i = 0; i < width; i++) {
        let rest = 0;
        for (let j = 0; j < classes; j++)
          if (j !== k) rest += (sums[j] as Float64Array)[i] as number;
        directions[k * width + i] = ((sums[k] as Float64Array)[i] as number) / own - rest / others;
      }
    }
    return tensorOfArray(directions, [classes, width]);
  });
}

/**
 * Rows moved along a direction of the latent space.
 *
 * @param x [N, D] in the data's space
 * @param direction D numbers: a row of {@link attributeDirections}
 * @param amounts multiples of it: negative ones take the attribute away
 * @returns [N·amounts, D]: the first row at each amount, the second, …
 */
export function alongDirection(
  flow: Flow,
  x: Rows,
  direction: Tensor | ArrayLike<number>,
  amounts: readonly number[],
  options: DecodeOptions = {},
): Tensor {
  checkArgument('alongDirection', 'flow', flow, aFlow);
  checkOptions('alongDirection', options, decodeRules);
  checkArgument('alongDirection', 'amounts', amounts, list);
  if (!(direction instanceof Tensor))
    checkArgument('alongDirection', 'direction', direction, array);
  const width = flow.features;
  const along = direction instanceof Tensor ? direction.dataSync() : direction;
  if (along.length !== width) {
    throw new FlowError(
      'SHAPE',
      expected(
        'alongDirection',
        'direction',
        `${width} numbers`,
        String(along.length),
        'pass one row',
      ),
    );
  }
  return scope(() => {
    const codes = encode(flow, x, options);
    const values = codes.dataSync();
    const z = typedArray(flow.dtype, codes.rows * amounts.length * width);
    for (let n = 0; n < codes.rows; n++)
      for (const [k, amount] of amounts.entries())
        for (let i = 0; i < width; i++)
          z[(n * amounts.length + k) * width + i] =
            (values[n * width + i] as number) + amount * (along[i] as number);
    const rows = tensorOfArray(z, [codes.rows * amounts.length, width]);
    const context = repeated(flow, options.context ?? null, codes.rows, amounts.length);
    return decode(flow, rows, { ...options, context });
  });
}
