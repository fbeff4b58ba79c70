/** A range of channels without a copy, and channels side by side. */
import { isTracked, record, withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkArgument, list } from '../options';
import { formatShape } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { requireTensor, requireTensors } from './check';
import { apply, type OpDefinition } from './define';
import { zeros } from './fill';

interface Embedding {
  readonly start: number;
  readonly cols: number;
  /** Columns of what is embedded. */
  readonly width: number;
}

const embed: OpDefinition<Embedding> = {
  name: 'embed_columns',
  outputs: ([d], { cols }) => [
    { shape: [...(d as Tensor).shape.slice(0, -1), cols], dtype: (d as Tensor).dtype },
  ],
  encode: ({ start }) => [start],
  saves: { inputs: [], outputs: [] },
  vjp: ({ d: [dd], attributes: { start, width } }) => [columns(dd as Tensor, start, start + width)],
};

/**
 * The columns [start, end) of x as a view: it shares the memory of x.
 *
 * @param x any type, at least one axis: [N, C] → [N, end − start]
 * @throws FlowError SHAPE unless 0 ≤ start ≤ end ≤ C
 */
export function columns(x: Tensor, start: number, end: number): Tensor {
  requireTensor('columns', 'x', x);
  const { cols, shape } = x;
  const whole = Number.isInteger(start) && Number.isInteger(end);
  if (shape.length === 0 || !whole || start < 0 || end < start || end > cols) {
    throw new FlowError(
      'SHAPE',
      expected(
        'columns',
        'range',
        `0 ≤ start ≤ end ≤ ${cols}, the channels of ${formatShape(shape)}`,
        `${start} to ${end}`,
        'check the split',
      ),
    );
  }
  const width = end - start;
  // Without rows there may be no memory to move in.
  const offset = x.size === 0 ? x.offset : x.offset + start;
  const result = x.view([...shape.slice(0, -1), width], offset, x.rowStride);
  if (isTracked([x])) {
    record('columns', [x], [result], [], (_saved, [d]) => [
      d ? (apply(embed, [d], { start, cols, width })[0] as Tensor) : null,
    ]);
  }
  return result;
}

const concat: OpDefinition<{ widths: readonly number[] }> = {
  name: 'concat_columns',
  outputs(inputs, { widths }) {
    const first = inputs[0] as Tensor;
    const prefix = first.shape.slice(0, -1);
    for (const input of inputs as Tensor[]) {
      const own = input.shape.slice(0, -1);
      const fits = own.length === prefix.length && own.every((extent, i) => extent === prefix[i]);
      if (!fits || input.shape.length === 0) {
        throw new FlowError(
          'SHAPE',
          expected(
            'concatColumns',
            'parts',
            `the axes ${formatShape(prefix)} before the channels, as the first has`,
            formatShape(input.shape),
            'give all parts the same rows',
          ),
        );
      }
      if (input.dtype !== first.dtype) {
        throw new FlowError(
          'DTYPE',
          expected('concatColumns', 'parts', first.dtype, input.dtype, 'cast() them to one type'),
        );
      }
    }
    const cols = widths.reduce((total, width) => total + width, 0);
    return [{ shape: [...prefix, cols], dtype: first.dtype }];
  },
  saves: { inputs: [], outputs: [] },
  vjp({ d: [dy], needs, attributes: { widths } }) {
    let end = 0;
    return widths.map((width, i) => {
      end += width;
      return needs[i] ? columns(dy as Tensor, end - width, end) : null;
    });
  },
};

/** The channels of the parts side by side: [N, A], [N, B], … → [N, A + B + …]; any type, one for all. */
export function concatColumns(parts: readonly Tensor[]): Tensor {
  requireTensors('concatColumns', 'parts', parts);
  if (parts.length === 0) {
    throw new FlowError(
      'ARGUMENT',
      expected('concatColumns', 'parts', 'at least one tensor', 'none', 'pass one'),
    );
  }
  return apply(concat, parts, { widths: parts.map((part) => part.cols) })[0] as Tensor;
}

/**
 * All columns of x, taken apart without a copy: [N, Σ widths] → [N, widths_0], [N, widths_1], … One gradient is put together
 * of all of theirs, where as many calls of {@link columns} would add up as many.
 *
 * @throws FlowError SHAPE unless the widths add up to the columns of x
 */
export function splitColumns(x: Tensor, widths: readonly number[]): Tensor[] {
  checkArgument('splitColumns', 'widths', widths, list);
  requireTensor('splitColumns', 'x', x);
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total !== x.cols || widths.length === 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        'splitColumns',
        'widths',
        `widths that add up to ${x.cols}, the channels of ${formatShape(x.shape)}`,
        `${widths.length === 0 ? 'none' : total}`,
        'name all columns',
      ),
    );
  }
  let end = 0;
  const views = withoutTape(() =>
    widths.map((width) => {
      end += width;
      return columns(x, end - width, end);
    }),
  );
  if (isTracked([x])) {
    const { dtype } = x;
    const shapes = views.map(({ shape }) => shape);
    record('splitColumns', [x], views, [], (_saved, d) =>
      scope(() => [
        concatColumns(shapes.map((shape, k) => d[k] ?? zeros(shape, dtype as FloatDType))),
      ]),
    );
  }
  return views;
}
