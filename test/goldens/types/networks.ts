/** Golden convolutions and networks of them. */
import type { GoldenTensor, GoldenTensors } from './tensor';

/** conv2d.json */
export interface GoldenConvCase {
  readonly name: string;
  readonly geometry: Readonly<Record<string, unknown>> & { readonly taps: number[] | null };
  readonly activation: string;
  /** x, weight, bias and perhaps addend. */
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly y: GoldenTensor };
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

/** convNet.json */
export interface GoldenConvNetCase {
  readonly name: string;
  /** As the registry of modules takes it. */
  readonly config: { readonly kind: string };
  readonly training: boolean;
  readonly params: GoldenTensors;
  readonly state: GoldenTensors;
  /** x and perhaps context. */
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly y: GoldenTensor };
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}
