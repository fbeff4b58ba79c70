/** Fixed maps around a model: of its rows (`preprocessing`) and of its context (`contextPreprocessing`). */
import { Bijection } from '../bijections/bijection';
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { build } from '../nn/registry';
import type { Tensor } from '../tensor/tensor';

/** @throws FlowError SHAPE, ARGUMENT where the map is of other columns, or learned */
export function requireFixedMap(
  where: string,
  name: string,
  map: Bijection | null,
  wanted: number,
  of: string,
): void {
  if (!map) return;
  if (map.features !== wanted) {
    const remedy = 'build all parts with the same number of features';
    throw new FlowError(
      'SHAPE',
      expected(where, name, `${wanted} ${of}`, `${map.features}`, remedy),
    );
  }
  const count = map.parameters().length;
  if (count === 0) return;
  const remedy = 'put learned bijections into the chain';
  throw new FlowError(
    'ARGUMENT',
    expected(where, name, 'bijections without parameters', `${count} parameters`, remedy),
  );
}

/** The context as networks take it: through the map, where there is one. */
export function mappedContext(map: Bijection | null, context: Tensor | null): Tensor | null {
  return context && map ? map.forward(context).y : context;
}

/** The map that a file describes; null where it says nothing. @throws FlowError FORMAT */
export function fixedMapOf(where: string, config: Config | null | undefined): Bijection | null {
  if (!config) return null;
  const map = build(config);
  if (map instanceof Bijection) return map;
  const got = `a ${config.kind}`;
  throw new FlowError(
    'FORMAT',
    expected(where, 'config', 'bijections as preprocessing', got, 'the file is damaged'),
  );
}
