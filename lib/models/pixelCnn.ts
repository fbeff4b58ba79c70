/**
 * PixelCNN, plain and gated.
 *
 * Plain: van den Oord et al. 2016a, "Pixel Recurrent Neural Networks", section 3.5 and figure 5: a 7×7 convolution of mask A, residual blocks
 * of mask B, two 1×1 layers. Gated: van den Oord et al. 2016b, "Conditional Image Generation with PixelCNN Decoders", figure 2: a vertical
 * stack that sees the rows above and a horizontal one that sees the pixels to the left and the vertical one, so that no pixel
 * before is out of sight.
 */
import { expected, FlowError } from '../errors';
import { rasterTaps } from '../ops';
import { checkOptions, count, flag, type Rules } from '../options';
import { requireSizes } from '../shape';
import { registerOptions } from './optionsModel';
import { requireOdd } from './pixelGraph';
import {
  type PixelConvOptions,
  PixelModel,
  type PixelModelOptions,
  pixelModelRules,
} from './pixelModel';

export interface PixelCnnOptions extends PixelModelOptions {
  /** Residual blocks, or gated layers after the first. Default 7. */
  readonly layers?: number;
  /** h: channels inside a residual block, whose input has 2h; channels of a gated stack. Default 64. */
  readonly hidden?: number;
  /** Vertical and horizontal stacks with gates, no blind spot. Default false. */
  readonly gated?: boolean;
  /** Side of the first kernel, odd. Default 7. */
  readonly firstKernel?: number;
  /** Side of the other kernels, odd. Default 3. */
  readonly kernel?: number;
  /** Channels of the 1×1 layer before the last. Default 2·hidden. */
  readonly head?: number;
}

type Kernel = readonly [number, number];
const pixelCnnRules: Rules<PixelCnnOptions> = {
  ...pixelModelRules,
  layers: count,
  hidden: count,
  gated: flag,
  firstKernel: count,
  kernel: count,
  head: count,
};

export class PixelCnn extends PixelModel<PixelCnnOptions> {
  constructor(options: PixelCnnOptions) {
    super('pixelCnn', checkOptions('PixelCnn', options, pixelCnnRules));
    const { layers = 7, hidden = 64, firstKernel = 7, kernel = 3, head = 2 * hidden } = options;
    requireSizes('PixelCnn', { layers });
    requireOdd('PixelCnn', { firstKernel, kernel });
    this.requireGroups('PixelCnn', { hidden, head });
    if (this.contextFeatures > 0 && !options.gated) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'PixelCnn',
          'contextFeatures',
          '0 without gates',
          String(this.contextFeatures),
          'set gated to condition on a context',
        ),
      );
    }
    const sizes = { layers, hidden, first: firstKernel, kernel };
    const features = options.gated ? this.#gatedStacks(sizes) : this.#residualBlocks(sizes);
    this.finish(features, head);
  }

  /** The taps of mask A: the pixel itself only for the colours before. */
  #firstTaps(kernel: Kernel) {
    return {
      kernel,
      taps: rasterTaps(kernel, { self: this.likelihood.groups > 1 }),
    };
  }

  #residualBlocks({ layers, hidden, first, kernel }: Sizes): number {
    const { graph, image } = this;
    const colors = this.likelihood.groups;
    let x = graph.conv(
      0,
      this.conv('first', {
        ...this.#firstTaps([first, first]),
        inputs: image.channels,
        outputs: 2 * hidden,
        groups: { count: colors, own: false },
      }),
    );
    const square: Kernel = [kernel, kernel];
    const activation = 'relu';
    for (let k = 0; k < layers; k++) {
      const block = (part: string, options: PixelConvOptions) =>
        this.conv(`blocks.${k}.${part}`, options);
      const down = block('down', {
        inputs: 2 * hidden,
        outputs: hidden,
        kernel: [1, 1],
        activation,
      });
      const middle = block('middle', {
        inputs: hidden,
        outputs: hidden,
        kernel: square,
        taps: rasterTaps(square, { self: true }),
        activation,
      });
      const up = block('up', { inputs: hidden, outputs: 2 * hidden, kernel: [1, 1] });
      // The three convolutions in a row are one native call, forwards and backwards.
      x = graph.add(graph.conv(graph.conv(graph.conv(graph.relu(x), down), middle), up), x);
    }
    return x;
  }

  #gatedStacks({ layers, hidden, first, kernel }: Sizes): number {
    const { graph, image } = this;
    const colors = this.likelihood.groups;
    const outputs = 2 * hidden;
    let [v, h] = [0, 0];
    for (let k = 0; k <= layers; k++) {
      const name = (part: string) => `layers.${k}.${part}`;
      const side = k === 0 ? first : kernel;
      const inputs = k === 0 ? image.channels : hidden;
      // Rows above, and from the second layer on its own row, whose maps have seen rows above only.
      const rows = (side - 1) / 2 + (k === 0 ? 0 : 1);
      const vertical = this.conv(name('vertical'), {
        inputs,
        outputs,
        kernel: [side, side],
        taps: Array.from({ length: rows * side }, (_, place) => place),
        groups: { count: 1, own: true },
      });
      const across = this.conv(name('across'), {
        inputs: outputs,
        outputs,
        kernel: [1, 1],
        bias: false,
        groups: { count: 1, own: true },
      });
      const strip: Kernel = [1, side];
      const horizontal = this.conv(name('horizontal'), {
        inputs,
        outputs,
        kernel: strip,
        taps: rasterTaps(strip, { self: k > 0 || colors > 1 }),
        groups: { count: colors, own: k > 0, parts: 2 },
      });
      const out = this.conv(name('out'), { inputs: hidden, outputs: hidden, kernel: [1, 1] });
      const below = graph.conv(v, vertical, {
        addend: this.contextMap(name('verticalContext'), outputs),
        phase: 'row',
      });
      const seen = graph.conv(below, across, {
        addend: this.contextMap(name('context'), outputs),
        phase: 'row',
      });
      const gates = graph.conv(h, horizontal, { addend: seen, parts: 2 });
      const gated = graph.gate(gates);
      h = graph.conv(gated, out, { addend: k === 0 ? null : h });
      if (k < layers) v = graph.gate(below, 'row');
    }
    return h;
  }
}

interface Sizes {
  readonly layers: number;
  readonly hidden: number;
  readonly first: number;
  readonly kernel: number;
}

registerOptions<PixelCnnOptions>('pixelCnn', PixelCnn);
