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

/** Which feature comes first, second, …, by the degrees of the inputs. */
export function orderOf(inputDegrees: readonly number[]): number[] {
  return inputDegrees.map((_, place) => inputDegrees.indexOf(place + 1));
}

/**
 * Values of a golden parameter as the library keeps them: inputs and outputs in the order of the autoregression.
 * A golden MADE keeps the features where they are, whatever their degrees.
 *
 * @param order the feature at each place
 * @param perFeature outputs a feature, which stay together
 */
export function inLibraryOrder(
  name: string,
  tensor: GoldenTensor,
  order: readonly number[],
  perFeature = 2,
): Float64Array {
  const given = values(tensor);
  const width = tensor.shape.at(-1) as number;
  const rows = given.length / width;
  const columns =
    name === 'hidden.0.weight' ||
    name === 'direct.weight' ||
    name === 'logGamma' ||
    name === 'beta';
  const blocks = name.startsWith('output.') || name === 'direct.weight';
  const at = (row: number, column: number): number => {
    const from = columns ? (order[column] as number) : column;
    return given[row * width + from] as number;
  };
  const outputAt = (k: number) =>
    (order[Math.floor(k / perFeature)] as number) * perFeature + (k % perFeature);
  if (name === 'output.bias') return given.map((_, k) => given[outputAt(k)] as number);
  return Float64Array.from({ length: rows * width }, (_, k) => {
    const row = Math.floor(k / width);
    return at(blocks ? outputAt(row) : row, k % width);
  });
}

/** The layers of a chain that have parameters, each with its golden and the order in which its features stand. */
export function pairLayers(
  bijections: readonly Bijection[],
  goldens: readonly GoldenLayer[],
): { module: Module; golden: GoldenLayer; order: readonly number[] }[] {
  const trained = bijections.filter(
    (bijection) => bijection instanceof MaskedAutoregressive || bijection instanceof BatchNorm,
  );
  if (trained.length !== goldens.length) throw new Error('[goldens] another number of layers');
  let order: readonly number[] = [];
  return trained.map((bijection, k) => {
    const golden = goldens[k] as GoldenLayer;
    if (golden.type === 'made') order = orderOf(golden.inputDegrees);
    const module = bijection instanceof MaskedAutoregressive ? bijection.made : bijection;
    return { module, golden, order };
  });
}

/** Puts golden values into the parameters of a layer; each must be there, and no other. */
export function loadLayer(
  module: Module,
  params: GoldenTensors,
  order: readonly number[],
  perFeature = 2,
): void {
  const own = module.namedParameters();
  const missing = [...own.keys()].filter((name) => params[name] === undefined);
  if (missing.length > 0 || own.size !== Object.keys(params).length)
    throw new Error(`[goldens] parameters: ${[...own.keys()]} against ${Object.keys(params)}`);
  for (const [name, tensor] of own)
    tensor.write(inLibraryOrder(name, params[name] as GoldenTensor, order, perFeature));
}
