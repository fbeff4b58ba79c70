/**
 * The networks of autoregressive models of images as graphs of maps: run on all pixels by the ops that have gradients, and
 * pixel by pixel by the native sampler (native/ops/pixel_sample.cc), which computes each activation once.
 *
 * Map 0 is the image; node k makes map k + 1, [N·height·width, channels].
 */
import { expected, FlowError } from '../errors';
import type { ContextLayer } from '../nn/contextLayer';
import type { MaskedConv2d } from '../nn/maskedConv2d';
import {
  add,
  convStack,
  gatedActivation,
  relu,
  type SpatialDirection,
  spatialLstm,
  spatialLstmTaps,
} from '../ops';
import { encodeActivation } from '../ops/activation';
import { encodeGeometry } from '../ops/conv2dGeometry';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/**
 * When the sampler can compute the pixels of a row: pixel: as soon as those before are known; row: all when the rows above
 * are known; above: all, once that row itself is known, for the use of rows below.
 */
export type Phase = 'pixel' | 'row' | 'above';

export type PixelNode =
  | {
      readonly kind: 'conv';
      readonly input: number;
      readonly addend: number | null;
      readonly conv: MaskedConv2d;
      readonly parts: number;
      readonly phase: Phase;
    }
  | { readonly kind: 'relu' | 'gate'; readonly input: number; readonly phase: Phase }
  | { readonly kind: 'add'; readonly input: number; readonly addend: number }
  | { readonly kind: 'context'; readonly layer: ContextLayer }
  | {
      readonly kind: 'lstm';
      readonly input: number;
      /** [4·hidden, taps·hidden] */
      readonly weight: Tensor;
      readonly direction: SpatialDirection;
    };

const kinds = { conv: 0, relu: 1, gate: 2, add: 3, context: 4, lstm: 5 } as const;
const phases = { pixel: 0, row: 1, above: 2 } as const;

export interface GraphImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** What the native sampler reads of a graph. */
export interface EncodedGraph {
  /** Two operands a node. */
  readonly operands: readonly (Tensor | null)[];
  readonly attributes: readonly number[];
}

export class PixelGraph {
  readonly nodes: PixelNode[] = [];
  readonly #channels: number[];
  /** The node after which a map is not read any more. */
  readonly #lastUse: number[] = [0];
  readonly #uses: number[] = [];

  constructor(readonly image: GraphImage) {
    this.#channels = [image.channels];
  }

  /** Channels of a map. */
  channels(map: number): number {
    return this.#channels[map] as number;
  }

  /** The map that the last node makes. */
  get output(): number {
    return this.nodes.length;
  }

  #push(node: PixelNode, channels: number, reads: readonly (number | null)[]): number {
    this.nodes.push(node);
    this.#channels.push(channels);
    const at = this.nodes.length - 1;
    this.#lastUse.push(at);
    for (const map of reads) {
      if (map === null) continue;
      this.#lastUse[map] = at;
      this.#uses[map] = (this.#uses[map] ?? 0) + 1;
    }
    return this.nodes.length;
  }

  conv(
    input: number,
    conv: MaskedConv2d,
    options: { addend?: number | null; parts?: number; phase?: Phase } = {},
  ): number {
    const { addend = null, parts = 1, phase = 'pixel' } = options;
    return this.#push({ kind: 'conv', input, addend, conv, parts, phase }, conv.outputs, [
      input,
      addend,
    ]);
  }

  relu(input: number, phase: Phase = 'pixel'): number {
    return this.#push({ kind: 'relu', input, phase }, this.channels(input), [input]);
  }

  /** tanh of the first half of the channels times the sigmoid of the second. */
  gate(input: number, phase: Phase = 'pixel'): number {
    return this.#push({ kind: 'gate', input, phase }, this.channels(input) / 2, [input]);
  }

  add(input: number, addend: number): number {
    return this.#push({ kind: 'add', input, addend }, this.channels(input), [input, addend]);
  }

  /** A linear map of the context, alike at all pixels. */
  context(layer: ContextLayer): number {
    return this.#push({ kind: 'context', layer }, layer.outputs, []);
  }

  /** Hidden states of an LSTM over the image, its gates' input given. */
  lstm(input: number, weight: Tensor, direction: SpatialDirection): number {
    return this.#push({ kind: 'lstm', input, weight, direction }, this.channels(input) / 4, [
      input,
    ]);
  }

  /** The last map, all pixels at once. On the tape. */
  run(x: Tensor, context: Tensor | null): Tensor {
    return scope(() => {
      const maps: (Tensor | null)[] = [x];
      for (let k = 0; k < this.nodes.length; k++) {
        const first = k;
        while (this.#continues(k)) k++;
        for (let between = first; between < k; between++) maps.push(null);
        maps.push(scope(() => this.#map(first, k, maps, context)));
        // The tape has claims of its own on what it needs.
        for (let m = 1; m <= k; m++) {
          const last = this.#lastUse[m] as number;
          if (first <= last && last <= k) maps[m]?.dispose();
        }
      }
      return maps[this.output] as Tensor;
    });
  }

  /** Whether node k is a convolution that nobody reads but the next one: they go through one call. */
  #continues(k: number): boolean {
    const [node, next] = [this.nodes[k], this.nodes[k + 1]];
    if (node?.kind !== 'conv' || next?.kind !== 'conv') return false;
    return next.input === k + 1 && next.addend === null && this.#uses[k + 1] === 1;
  }

  /** The map that the nodes first … last make, one or a chain of convolutions. */
  #map(
    first: number,
    last: number,
    maps: readonly (Tensor | null)[],
    context: Tensor | null,
  ): Tensor {
    const { height, width } = this.image;
    const at = (map: number) => maps[map] as Tensor;
    const node = this.nodes[first] as PixelNode;
    switch (node.kind) {
      case 'conv': {
        const addend = node.addend === null ? null : at(node.addend);
        if (first === last) return node.conv.apply(at(node.input), addend);
        const chain = this.nodes
          .slice(first, last + 1)
          .flatMap((one) => (one.kind === 'conv' ? [one.conv.layer] : []));
        return convStack(at(node.input), chain, { addend });
      }
      case 'relu':
        return relu(at(node.input));
      case 'gate':
        return gatedActivation(at(node.input));
      case 'add':
        return add(at(node.input), at(node.addend));
      case 'context':
        return node.layer.spread(context as Tensor);
      case 'lstm':
        return spatialLstm(at(node.input), node.weight, {
          height,
          width,
          direction: node.direction,
        });
    }
  }

  /** @param context [N, …] of the samples, or null */
  encode(context: Tensor | null): EncodedGraph {
    const operands: (Tensor | null)[] = [];
    const attributes: number[] = [this.nodes.length];
    for (const [k, node] of this.nodes.entries()) {
      const channels = this.channels(k + 1);
      const header = (phase: Phase, input: number, addend: number | null, parts: number) =>
        attributes.push(kinds[node.kind], phases[phase], input, addend ?? -1, channels, parts);
      switch (node.kind) {
        case 'conv': {
          const { weight, bias } = node.conv.effective();
          operands.push(weight, bias);
          const { activation = 'none' } = node.conv.options;
          const { taps } = encodeGeometry('sample', node.conv.options);
          header(node.phase, node.input, node.addend, node.parts);
          attributes.push(...encodeActivation('sample', activation), taps.length / 3, ...taps);
          break;
        }
        case 'lstm': {
          operands.push(node.weight, null);
          header(node.direction === 'left' ? 'above' : 'pixel', node.input, null, 1);
          const { taps, cell } = spatialLstmTaps(node.direction);
          attributes.push(...cell, taps.length / 3, ...taps);
          break;
        }
        case 'context':
          operands.push(node.layer.apply(context as Tensor), null);
          header('pixel', 0, null, 1);
          attributes.push(0, 0, 0);
          break;
        default:
          operands.push(null, null);
          header(
            'phase' in node ? node.phase : 'pixel',
            node.input,
            'addend' in node ? node.addend : null,
            1,
          );
          attributes.push(0, 0, 0);
      }
    }
    return { operands, attributes };
  }
}

/** Sides of kernels that have a middle. @throws FlowError ARGUMENT */
export function requireOdd(where: string, sides: Readonly<Record<string, number>>): void {
  for (const [what, side] of Object.entries(sides)) {
    if (Number.isSafeInteger(side) && side >= 1 && side % 2 === 1) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(where, what, 'an odd number ≥ 1', String(side), 'a kernel is centred on its pixel'),
    );
  }
}
