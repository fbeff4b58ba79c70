/** LSTMs over images: the scans of PixelRNN. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { checkArgument, checkOptions, count, type Rules, required, word } from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType, requireShape } from './check';
import { type EncodedGeometry, requirePixels } from './conv2dGeometry';
import { conv2dGradWeight } from './conv2dGradWeight';
import { contiguous } from './reshape';

/**
 * down: row after row, each state from the three above it (Row LSTM). right: diagonal after diagonal, each state from the
 * one before it in its row and the one above. left: the mirror image, from right to left, its states written one row below.
 */
export type SpatialDirection = 'down' | 'right' | 'left';

/** As native/math/spatial_lstm.h: steps from a state to those it is made of, and to the cell before. */
const directions: Record<
  SpatialDirection,
  { code: number; taps: readonly (readonly [number, number])[]; cell: readonly [number, number] }
> = {
  down: {
    code: 0,
    taps: [
      [-1, -1],
      [-1, 0],
      [-1, 1],
    ],
    cell: [-1, 0],
  },
  right: {
    code: 1,
    taps: [
      [0, -1],
      [-1, 0],
    ],
    cell: [0, -1],
  },
  left: {
    code: 2,
    taps: [
      [0, 1],
      [-1, 0],
    ],
    cell: [0, 1],
  },
};

/** How many states a state is made of. */
export function spatialLstmWidth(direction: SpatialDirection): number {
  return directionOf('spatialLstmWidth', direction).taps.length;
}

/** The taps as [place, dy, dx, …], from a state, and the step to the cell before. */
export function spatialLstmTaps(direction: SpatialDirection) {
  const { taps, cell } = directionOf('spatialLstmTaps', direction);
  return { taps: taps.flatMap(([dy, dx], place) => [place, dy, dx]), cell };
}

function directionOf(where: string, direction: SpatialDirection) {
  checkArgument(where, 'direction', direction, lstmRules.direction);
  return directions[direction];
}

export interface SpatialLstmOptions {
  readonly height: number;
  readonly width: number;
  readonly direction: SpatialDirection;
}

/** Taps from the gates of a pixel to the states that its own state is made of: with `left` states stand one row below. */
function geometryOf({ height, width, direction }: SpatialLstmOptions): EncodedGeometry {
  const { taps } = directions[direction];
  const below = direction === 'left' ? 1 : 0;
  return {
    height,
    width,
    places: taps.length,
    taps: taps.flatMap(([dy, dx], place) => [place, dy + below, dx]),
  };
}

const lstmRules: Rules<SpatialLstmOptions> = {
  height: required(count),
  width: required(count),
  direction: required(word('down', 'right', 'left')),
};

/**
 * The states of an LSTM over images (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", sections 3.1, 3.2), the whole
 * scan in one instruction and its gradient in another:
 *
 *   [i f o g] = gates + W · [states of the taps]        c = σ(f)·c₋ + σ(i)·tanh(g)        h = σ(o)·tanh(c)
 *
 * right and left together are the Diagonal BiLSTM. A state of `left` knows the pixels to the right of its own in its row, so it
 * is written one row below its gates, as in the paper, and row 0 is zero: then the sum of both depends on pixels before alone.
 * Pixels of one diagonal are computed together; there is no skewed copy. The gradient cannot be differentiated again.
 *
 * @param gates [N·height·width, 4·hidden] inputs of the gates i, f, o, g: the input-to-state part, bias included
 * @param weight [4·hidden, taps·hidden], 3 taps down, 2 right and left
 * @returns h [N·height·width, hidden]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (direction)
 */
export function spatialLstm(gates: Tensor, weight: Tensor, options: SpatialLstmOptions): Tensor {
  const op = 'spatialLstm';
  checkOptions(op, options, lstmRules);
  requireFloat(op, 'gates', gates);
  const geometry = geometryOf(options);
  requirePixels(op, 'gates', gates, geometry);
  if (gates.cols % 4 !== 0) {
    throw new FlowError(
      'SHAPE',
      expected(op, 'gates', '4·hidden columns', formatShape(gates.shape), 'they are i, f, o and g'),
    );
  }
  const hidden = gates.cols / 4;
  requireSameDType(op, 'weight', weight, gates);
  requireShape(
    op,
    'weight',
    weight,
    [4 * hidden, geometry.places * hidden],
    '[4·hidden, taps·hidden]',
  );
  const { dtype } = gates;
  const wide = { shape: [gates.rows, 4 * hidden], dtype };
  const narrow = { shape: [gates.rows, hidden], dtype };
  const attributes = [options.height, options.width, directions[options.direction].code];
  if (!isTracked([gates, weight])) {
    return execute('spatial_lstm', [gates, weight], [narrow, null, null], attributes)[0] as Tensor;
  }
  const [h, kept, cells] = execute(
    'spatial_lstm',
    [gates, weight],
    [narrow, wide, narrow],
    attributes,
  ) as [Tensor, Tensor, Tensor];
  record(op, [gates, weight], [h], [weight, h, kept, cells], (saved, d, needs) => {
    const [w, states, z, c] = saved as [Tensor, Tensor, Tensor, Tensor];
    const dh = contiguous(d[0] as Tensor);
    refuseSecondGradient(op, [w, states, dh]);
    const [dGates] = execute('spatial_lstm_grad', [dh, w, z, c], [wide], attributes) as [Tensor];
    return [needs[0] ? dGates : null, needs[1] ? conv2dGradWeight(dGates, states, geometry) : null];
  });
  kept.dispose(); // the tape has claims of its own
  cells.dispose();
  return h;
}
