/** Models as a file holds them: flows and others alike, as far as one can score rows with them and draw some. */
import type { Bijection } from '../bijections/bijection';
import type { DensityModel } from '../flows/density';
import { Flow } from '../flows/flow';
import type { Dequantization } from '../flows/flowParts';
import { loadModuleOf, type ModelFileOptions } from '../flows/modelFile';
import type { Module } from '../nn/module';
import type { Rows } from '../tensor/input';
import type { Tensor } from '../tensor/tensor';
import { DequantizedFlow } from './dequantizedFlow';
import { PixelModel } from './pixelModel';
import { Vae } from './vae';
import { SequenceModel } from './wave/sequenceModel';

export interface GenerativeModel extends DensityModel {
  readonly preprocessing: Bijection | null;
  /** Integers that the model takes; null: numbers. */
  readonly dequantization: Dequantization | null;
  /** What the rows are: column names, image shape. */
  readonly description: Readonly<Record<string, string>>;

  /** [N] float64. @param options.samples importance samples a row, for models that bound log p */
  logProb(
    x: Rows,
    context?: Rows | null,
    options?: {
      readonly space?: 'data' | 'model';
      readonly seed?: number;
      readonly samples?: number;
    },
  ): Tensor;

  /** [samples, D] in the data's units. */
  sample(
    samples: number,
    options?: {
      readonly context?: Rows | null;
      readonly temperature?: number;
      readonly seed?: number;
      /** Of sequences; default: that of the training. */
      readonly length?: number;
    },
  ): Tensor;

  bitsPerDim(logProb: number): number;
  save(path: string, options?: ModelFileOptions): Promise<void>;
}

function isGenerative(module: Module): module is Module & GenerativeModel {
  return [Flow, DequantizedFlow, Vae, SequenceModel, PixelModel].some(
    (kind) => module instanceof kind,
  );
}

/**
 * Reads a model of any kind that `save` wrote: a Flow, a DequantizedFlow, a Vae, a WaveNet, a Parallel WaveNet, a PixelCnn or a PixelRnn.
 *
 * @throws FlowError FILE, FORMAT
 */
export async function loadModel(path: string): Promise<GenerativeModel> {
  return loadModuleOf('loadModel', path, 'a model to score and sample with', isGenerative);
}
