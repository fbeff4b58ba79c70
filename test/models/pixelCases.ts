/** Small autoregressive models of images, of every kind that there is. */
import { type FloatDType, typedArray } from '../../lib/dtype';
import { PixelCnn, type PixelModel, PixelRnn } from '../../lib/models';
import { tensorOfArray } from '../../lib/tensor/tensor';

export interface PixelCase {
  readonly name: string;
  readonly channels: number;
  /** Which pixels before it a pixel must see, by their rows. */
  readonly sees: (from: number, to: number) => boolean;
  build(image: { height: number; width: number; channels: number }, dtype: FloatDType): PixelModel;
}

/** Receptive fields are finite, and the plain one has its blind spot. */
const none = () => false;
const all = () => true;
/**
 * Maps of mask A have not seen their own pixel, so the scan from the right knows the last pixel of the row above only by the
 * kernel: what is two rows above is seen whole.
 */
const rowsAbove = (from: number, to: number) => to === from || to >= from + 2;
export const cnn = { layers: 2, firstKernel: 3, kernel: 3, seed: 3 };
const rnn = { layers: 2, firstKernel: 3, seed: 4 };
export const pixelCases: readonly PixelCase[] = [
  {
    name: 'plain, binary',
    channels: 1,
    sees: none,
    build: (image, dtype) =>
      new PixelCnn({ ...cnn, image, hidden: 5, likelihood: 'bernoulli', dtype }),
  },
  {
    name: 'plain, softmax of colours',
    channels: 3,
    sees: none,
    build: (image, dtype) => new PixelCnn({ ...cnn, image, hidden: 6, levels: 5, dtype }),
  },
  {
    name: 'plain, mixture of colours',
    channels: 3,
    sees: none,
    build: (image, dtype) =>
      new PixelCnn({
        ...cnn,
        image,
        hidden: 4,
        likelihood: 'logistic',
        levels: 16,
        components: 2,
        dtype,
      }),
  },
  {
    name: 'gated, binary, of classes',
    channels: 1,
    sees: all,
    build: (image, dtype) =>
      new PixelCnn({
        ...cnn,
        layers: 4,
        image,
        hidden: 5,
        gated: true,
        likelihood: 'bernoulli',
        contextFeatures: 3,
        dtype,
      }),
  },
  {
    name: 'gated, softmax of colours',
    channels: 3,
    sees: all,
    build: (image, dtype) =>
      new PixelCnn({ ...cnn, layers: 4, image, hidden: 6, gated: true, levels: 4, dtype }),
  },
  {
    name: 'row LSTM, binary',
    channels: 1,
    sees: none,
    build: (image, dtype) =>
      new PixelRnn({ ...rnn, scan: 'row', image, hidden: 5, likelihood: 'bernoulli', dtype }),
  },
  {
    name: 'row LSTM, softmax of two channels, of classes',
    channels: 2,
    sees: none,
    build: (image, dtype) =>
      new PixelRnn({ ...rnn, scan: 'row', image, hidden: 8, levels: 3, contextFeatures: 2, dtype }),
  },
  {
    name: 'diagonal BiLSTM, binary',
    channels: 1,
    sees: rowsAbove,
    build: (image, dtype) =>
      new PixelRnn({ ...rnn, image, hidden: 5, likelihood: 'bernoulli', dtype }),
  },
  {
    name: 'diagonal BiLSTM, softmax of colours, of classes',
    channels: 3,
    sees: rowsAbove,
    build: (image, dtype) =>
      new PixelRnn({ ...rnn, image, hidden: 6, levels: 4, contextFeatures: 3, dtype }),
  },
];

/** Numbers that differ from sample to sample, or null for a model without. */
export const contextOf = (model: PixelModel, rows: number) =>
  model.contextFeatures === 0
    ? null
    : tensorOfArray(
        typedArray(model.dtype, rows * model.contextFeatures).map((_, k) => ((k * 7) % 5) / 4),
        [rows, model.contextFeatures],
      );
