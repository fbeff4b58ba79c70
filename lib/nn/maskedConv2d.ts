/** Convolutions that see only the pixels before theirs, and of their own pixel only the colours before. */
import { typedArray } from '../dtype';
import { mul, type RandomStream } from '../ops';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Conv2d, type Conv2dLayerOptions } from './conv2d';

export interface ColorGroups {
  /** Colours; the channels of inputs and outputs stand in so many equal groups, the first colour first. */
  readonly count: number;
  /** Whether an output sees its own colour in its own pixel (mask B) or only those before (mask A). */
  readonly own: boolean;
  /** Equal parts of the outputs, each of all groups: 2 for a gate, 4 for an LSTM. Default 1. */
  readonly parts?: number;
}

export interface MaskedConv2dOptions extends Conv2dLayerOptions {
  /** Masks of the pixel's own tap. Default: none, the tap is live or not. */
  readonly groups?: ColorGroups;
}

/** Colour of channel `k` of `channels`, which stand in `parts` parts of `count` groups each. */
function colorOf(k: number, channels: number, count: number, parts = 1): number {
  const width = channels / parts;
  return Math.floor(((k % width) * count) / width);
}

/**
 * The taps are a list, so a tap that a mask takes away costs nothing. Within the pixel's own tap the mask of colours
 * (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", figure 4) is a factor of 0 or 1 on the weight: what it
 * takes away has the gradient zero.
 */
export class MaskedConv2d extends Conv2d {
  readonly #mask: Tensor | null;

  constructor(options: MaskedConv2dOptions, stream: RandomStream) {
    const { groups, ...conv } = options;
    super(conv, stream);
    this.#mask = groups && groups.count > 1 ? this.own(this.#maskOf(groups)) : null;
  }

  #maskOf({ count, own, parts = 1 }: ColorGroups): Tensor {
    const { kernel, dtype = 'float32' } = this.options;
    const [kh, kw] = kernel;
    const centre = Math.floor((kh - 1) / 2) * kw + Math.floor((kw - 1) / 2);
    const [places, inputs, outputs] = [kh * kw, this.inputs, this.outputs];
    const mask = typedArray(dtype, outputs * places * inputs).map((_, k) => {
      if (Math.floor(k / inputs) % places !== centre) return 1;
      const from = colorOf(k % inputs, inputs, count);
      const to = colorOf(Math.floor(k / (places * inputs)), outputs, count, parts);
      return from < to || (own && from === to) ? 1 : 0;
    });
    return tensorOfArray(mask, [outputs, places * inputs]);
  }

  override effective(): { weight: Tensor; bias: Tensor | null } {
    const { weight, bias } = super.effective();
    return { weight: this.#mask ? mul(weight, this.#mask) : weight, bias };
  }
}
