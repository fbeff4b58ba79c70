/** Short-time Fourier transforms, as linear maps that can be differentiated. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, count, required } from '../options';
import { requireSize } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { tensorOfArray } from '../tensor/tensor';
import { add } from './binary';
import { requireFloat } from './check';
import { columns } from './columns';
import { gatherColumns } from './gatherColumns';
import { matmul } from './matmul';
import { cast, reshape } from './reshape';
import { square } from './unary';

export interface StftOptions {
  /** W: samples of a frame, an even number. */
  readonly window: number;
  /** Samples from one frame to the next. Default W/4. */
  readonly hop?: number;
}

/** Hann's window times cosines and sines, [W, 2·(W/2 + 1)]. */
const matrices = new Map<number, Float64Array>();

function fourierMatrix(window: number): Float64Array {
  const known = matrices.get(window);
  if (known) return known;
  const bins = window / 2 + 1;
  const values = new Float64Array(window * 2 * bins);
  for (let t = 0; t < window; t++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / window);
    for (let k = 0; k < bins; k++) {
      const angle = (2 * Math.PI * ((k * t) % window)) / window;
      values[t * 2 * bins + k] = hann * Math.cos(angle);
      values[t * 2 * bins + bins + k] = -hann * Math.sin(angle);
    }
  }
  matrices.set(window, values);
  return values;
}

/**
 * |STFT|² of signals: frames of W samples, `hop` apart, as far as whole ones fit, under Hann's window (periodic). A matrix
 * product with the Fourier matrix, for windows of up to some thousand samples. Differentiable any number of times.
 *
 * @param x float32 or float64 [N, T], T ≥ W
 * @returns [N·F, W/2 + 1], F = 1 + ⌊(T − W)/hop⌋: a row a frame
 * @throws FlowError ARGUMENT, SHAPE
 */
export function stftPower(x: Tensor, options: StftOptions): Tensor {
  checkOptions('stftPower', options, { window: required(count), hop: anything });
  const { window, hop = Math.max(1, Math.floor(window / 4)) } = options;
  const op = 'stftPower';
  requireFloat(op, 'x', x);
  if (!Number.isSafeInteger(window) || window < 2 || window % 2 !== 0) {
    const remedy = '512 is usual for speech';
    throw new FlowError(
      'ARGUMENT',
      expected(op, 'window', 'an even number ≥ 2', `${window}`, remedy),
    );
  }
  requireSize(op, 'hop', hop, 'a quarter of the window is usual');
  if (x.shape.length !== 2 || x.cols < window) {
    throw new FlowError(
      'SHAPE',
      expected(op, 'x', `signals of ${window} samples or more`, `${x.cols}`, 'shorten the window'),
    );
  }
  const frames = 1 + Math.floor((x.cols - window) / hop);
  const bins = window / 2 + 1;
  const places = Int32Array.from(
    { length: frames * window },
    (_, i) => Math.floor(i / window) * hop + (i % window),
  );
  const matrix = cast(tensorOfArray(fourierMatrix(window), [window, 2 * bins]), x.dtype);
  const framed = gatherColumns(x, tensorOfArray(places, [places.length]));
  const spectrum = square(matmul(reshape(framed, [x.rows * frames, window]), matrix));
  return add(columns(spectrum, 0, bins), columns(spectrum, bins, 2 * bins));
}
