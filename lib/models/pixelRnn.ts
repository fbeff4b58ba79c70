/**
 * PixelRNN: Row LSTM and Diagonal BiLSTM (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", sections 3.1 to 3.4,
 * table 1): a 7×7 convolution of mask A, LSTM layers with residual connections, two 1×1 layers. A context adds a linear map of
 * itself to the input of the gates of each layer, as that of a gated PixelCNN (van den Oord et al. 2016b, section 2.3).
 */
import { uniformByFanIn } from '../nn/initialization';
import { type Config, Module } from '../nn/module';
import { type RandomStream, rasterTaps, type SpatialDirection, spatialLstmWidth } from '../ops';
import { checkOptions, count, type Rules, word } from '../options';
import { requireSizes } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { registerOptions } from './optionsModel';
import { requireOdd } from './pixelGraph';
import { PixelModel, type PixelModelOptions, pixelModelRules } from './pixelModel';

export interface PixelRnnOptions extends PixelModelOptions {
  /** row: each state from the three above it. diagonal: two scans, together from all pixels before. Default diagonal. */
  readonly scan?: 'row' | 'diagonal';
  /** LSTM layers. Default 7. */
  readonly layers?: number;
  /** h: channels of a state; the maps between layers have 2h. Default 16. */
  readonly hidden?: number;
  /** Side of the first kernel, odd. Default 7. */
  readonly firstKernel?: number;
  /** Channels of the 1×1 layer before the last. Default 2·hidden. */
  readonly head?: number;
}

/** The state-to-state weight of a scan: [4·hidden, taps·hidden]. */
class Recurrence extends Module {
  readonly weight: Tensor;

  constructor(model: PixelRnn, hidden: number, direction: SpatialDirection, stream: RandomStream) {
    super();
    const inputs = spatialLstmWidth(direction) * hidden;
    this.weight = this.parameter(
      'weight',
      uniformByFanIn(stream, [4 * hidden, inputs], inputs, model.dtype),
    );
  }

  config(): Config {
    return { kind: 'pixelRnnRecurrence', shape: [...this.weight.shape] };
  }
}

const pixelRnnRules: Rules<PixelRnnOptions> = {
  ...pixelModelRules,
  scan: word('row', 'diagonal'),
  layers: count,
  hidden: count,
  firstKernel: count,
  head: count,
};

export class PixelRnn extends PixelModel<PixelRnnOptions> {
  constructor(options: PixelRnnOptions) {
    super('pixelRnn', checkOptions('PixelRnn', options, pixelRnnRules));
    const {
      scan = 'diagonal',
      layers = 7,
      hidden = 16,
      firstKernel = 7,
      head = 2 * hidden,
    } = options;
    requireSizes('PixelRnn', { layers });
    requireOdd('PixelRnn', { firstKernel });
    this.requireGroups('PixelRnn', { hidden, head });
    const { graph } = this;
    const groups = this.likelihood.groups;
    const first = [firstKernel, firstKernel] as const;
    let x = graph.conv(
      0,
      this.conv('first', {
        inputs: this.image.channels,
        outputs: 2 * hidden,
        kernel: first,
        taps: rasterTaps(first, { self: groups > 1 }),
        groups: { count: groups, own: false },
      }),
    );
    for (let k = 0; k < layers; k++) {
      const name = `layers.${k}`;
      const states = scan === 'row' ? this.#row(name, x, hidden) : this.#diagonal(name, x, hidden);
      const up = this.conv(`${name}.up`, { inputs: hidden, outputs: 2 * hidden, kernel: [1, 1] });
      x = graph.conv(states, up, { addend: x });
    }
    this.finish(x, head);
  }

  #lstm(name: string, gates: number, hidden: number, direction: SpatialDirection): number {
    const recurrence = this.child(name, new Recurrence(this, hidden, direction, this.stream));
    return this.graph.lstm(gates, recurrence.weight, direction);
  }

  /** Input-to-state along the row, 1×3 with mask B; state-to-state from the three states above. */
  #row(name: string, x: number, hidden: number): number {
    const kernel = [1, 3] as const;
    const toState = this.conv(`${name}.input`, {
      inputs: 2 * hidden,
      outputs: 4 * hidden,
      kernel,
      taps: rasterTaps(kernel, { self: true }),
      groups: { count: this.likelihood.groups, own: true, parts: 4 },
    });
    const addend = this.contextMap(`${name}.context`, 4 * hidden);
    const gates = this.graph.conv(x, toState, { parts: 4, addend });
    return this.#lstm(`${name}.down`, gates, hidden, 'down');
  }

  /** Input-to-state 1×1; state-to-state from the state before on the row and the one above. */
  #diagonal(name: string, x: number, hidden: number): number {
    const { graph } = this;
    const toState = (side: string, count: number) =>
      this.conv(`${name}.${side}Input`, {
        inputs: 2 * hidden,
        outputs: 4 * hidden,
        kernel: [1, 1],
        groups: { count, own: true, parts: 4 },
      });
    const contextOf = (side: string) => this.contextMap(`${name}.${side}Context`, 4 * hidden);
    const right = graph.conv(x, toState('right', this.likelihood.groups), {
      parts: 4,
      addend: contextOf('right'),
    });
    const fromLeft = this.#lstm(`${name}.right`, right, hidden, 'right');
    // What comes from the right is used one row below, where all colours of its row are known.
    const left = graph.conv(x, toState('left', 1), { phase: 'above', addend: contextOf('left') });
    return graph.add(fromLeft, this.#lstm(`${name}.left`, left, hidden, 'left'));
  }
}

registerOptions<PixelRnnOptions>('pixelRnn', PixelRnn);
