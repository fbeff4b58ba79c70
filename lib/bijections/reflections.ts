/** What the maps made of Householder reflections start with. */
import { claimElements } from '../nn/initialization';
import { RandomStream } from '../ops';
import { requireSize } from '../shape';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { LinearMap } from './linearMap';

/** Normal vectors [K, C], a parameter of maps made of reflections. */
export function reflectionVectors(
  where: string,
  map: LinearMap,
  reflections: number,
  seed: number,
): Tensor {
  const remedy = `${map.channels}, the channels, reach every rotation`;
  requireSize(where, 'reflections', reflections, remedy);
  claimElements(reflections * map.channels);
  const stream = new RandomStream(seed);
  const vectors = stream.normal([reflections, map.channels], map.dtype);
  stream.dispose();
  return vectors;
}

/** The identity [C, C] in the map's type. */
export function identityOf({ channels, dtype }: LinearMap): Tensor {
  claimElements(channels * channels);
  const size = channels * channels;
  const values = dtype === 'float32' ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i += channels + 1) values[i] = 1;
  return tensorOfArray(values, [channels, channels]);
}
