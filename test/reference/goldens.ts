/** Reads test/goldens/data: typed records, tensors as Float64Array, a golden MADE as the reference's {@link Made}. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GoldenFiles, GoldenMade, GoldenTensor, GoldenTensors } from '../goldens/types';
import type { Made, MadeGradients } from './made';

export type * from '../goldens/types';

/** The cases of data/<name>.json. */
export function goldenCases<Name extends keyof GoldenFiles>(name: Name): GoldenFiles[Name][] {
  const path = join(__dirname, '..', 'goldens', 'data', `${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')).cases;
}

/** The numbers of a tensor. */
export function values(tensor: GoldenTensor | undefined): Float64Array {
  if (tensor === undefined)
    throw new Error('[goldens] tensor: expected one of this name, got none');
  return Float64Array.from(tensor.data, Number);
}

/** A golden MADE for the reference; `params` replaces the stored parameters. */
export function referenceMade(
  record: GoldenMade,
  params: Readonly<Record<string, Float64Array>> = parameterArrays(record),
): Made {
  const layer = (name: string) => ({
    weight: params[`${name}.weight`]!,
    mask: values(record.masks[`${name}.weight`]),
    bias: params[`${name}.bias`]!,
  });
  return {
    features: record.features,
    outputsPerFeature: record.outputsPerFeature,
    activation: record.activation,
    inputDegrees: record.inputDegrees,
    hidden: record.hidden.map((_, k) => layer(`hidden.${k}`)),
    output: layer('output'),
    ...(record.contextFeatures > 0
      ? { contextWeight: params['context.weight']!, contextFeatures: record.contextFeatures }
      : {}),
    ...(record.direct
      ? {
          direct: { weight: params['direct.weight']!, mask: values(record.masks['direct.weight']) },
        }
      : {}),
  };
}

/** The parameters of a record as arrays that can be changed. */
export function parameterArrays(record: {
  readonly params: GoldenTensors;
}): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(record.params).map(([name, t]) => [name, values(t)]));
}

/** Gradients of the reference under the names of the goldens. */
export function namedGradients(gradients: MadeGradients): Record<string, Float64Array> {
  const named: Record<string, Float64Array> = {
    'output.weight': gradients.output.dWeight,
    'output.bias': gradients.output.dBias,
  };
  gradients.hidden.forEach((layer, k) => {
    named[`hidden.${k}.weight`] = layer.dWeight;
    named[`hidden.${k}.bias`] = layer.dBias;
  });
  if (gradients.dContextWeight) named['context.weight'] = gradients.dContextWeight;
  if (gradients.dDirectWeight) named['direct.weight'] = gradients.dDirectWeight;
  return named;
}
