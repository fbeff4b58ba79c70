/** The parameters of a model as training sees them. */
import { MaskedLinear } from '../nn/linear';
import type { Module } from '../nn/module';
import type { Tensor } from '../tensor/tensor';

export interface Parameter {
  /** Path in the model. */
  readonly name: string;
  readonly tensor: Tensor;
  /** int32 [rows]: how much of each row can be other than zero, for masked weights; else null. */
  readonly extents: Tensor | null;
}

/** All parameters of the model, in the model's fixed order. */
export function parametersOf(model: Module): Parameter[] {
  const extents = new Map<number, Tensor>();
  for (const [, module] of model.modules())
    if (module instanceof MaskedLinear) extents.set(module.weight.id, module.extents);
  return [...model.namedParameters()].map(([name, tensor]) => ({
    name,
    tensor,
    extents: extents.get(tensor.id) ?? null,
  }));
}
