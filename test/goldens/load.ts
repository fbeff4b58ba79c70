/** Golden models (test/goldens/data) as models of the library. */
import { BatchNorm } from '../../lib/bijections/batchNorm';
import type { Bijection } from '../../lib/bijections/bijection';
import { MaskedAutoregressive } from '../../lib/bijections/maskedAutoregressive';
import type { Module } from '../../lib/nn/module';
import { tensorOfArray } from '../../lib/tensor/tensor';
import {
  type GoldenBatchNorm,
  type GoldenMade,
  type GoldenTensor,
  type GoldenTensors,
  values,
} from '../reference/goldens';

export type GoldenLayer = GoldenMade | GoldenBatchNorm;

/** A golden tensor as a float64 tensor. */
export function goldenTensor(tensor: GoldenTensor | undefined) {
  return tensorOfArray(values(tensor), tensor?.shape ?? []);
}

/**
 * Values of a golden parameter in the library's order. Where the golden MADE has reversed input degrees, the library
 * has natural ones between two reversing permutations: inputs and outputs are then in the opposite order.
 */
export function inLibraryOrder(
  name: string,
  tensor: GoldenTensor,
  reversed: boolean,
): Float64Array {
  const given = values(tensor);
  if (!reversed) return given;
  const width = tensor.shape.at(-1) as number;
  if (name === 'hidden.0.weight')
    return given.map((_, k) => given[k - (k % width) + (width - 1 - (k % width))] as number);
  if (name.startsWith('output.')) {
    // Two rows a dimension (mu, a) stay together.
    const row = name.endsWith('weight') ? width : 1;
    const pairs = given.length / (2 * row);
    return Float64Array.from({ length: given.length }, (_, k) => {
      const pair = Math.floor(k / (2 * row));
      return given[(pairs - 1 - pair) * 2 * row + (k % (2 * row))] as number;
    });
  }
  if (name === 'logGamma' || name === 'beta') return given.toReversed();
  return given;
}

/** The layers of a chain that have parameters, each with its golden and whether it stands in reversed order. */
export function pairLayers(
  bijections: readonly Bijection[],
  goldens: readonly GoldenLayer[],
): { module: Module; golden: GoldenLayer; reversed: boolean }[] {
  const trained = bijections.filter(
    (bijection) => bijection instanceof MaskedAutoregressive || bijection instanceof BatchNorm,
  );
  if (trained.length !== goldens.length) throw new Error('[goldens] another number of layers');
  let reversed = false;
  return trained.map((bijection, k) => {
    const golden = goldens[k] as GoldenLayer;
    if (golden.type === 'made') reversed = golden.inputDegrees[0] !== 1;
    const module = bijection instanceof MaskedAutoregressive ? bijection.made : bijection;
    return { module, golden, reversed };
  });
}

/** Puts golden values into the parameters of a layer; each must be there, and no other. */
export function loadLayer(module: Module, params: GoldenTensors, reversed: boolean): void {
  const own = module.namedParameters();
  const missing = [...own.keys()].filter((name) => params[name] === undefined);
  if (missing.length > 0 || own.size !== Object.keys(params).length)
    throw new Error(`[goldens] parameters: ${[...own.keys()]} against ${Object.keys(params)}`);
  for (const [name, tensor] of own)
    tensor.write(inLibraryOrder(name, params[name] as GoldenTensor, reversed));
}
