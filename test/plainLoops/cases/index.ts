/** Instructions with random operands, every op at least once: what test/plainLoops/plainLoops.test.ts compares. */
import type { FloatDType } from '../../../lib/dtype';
import { affine } from './affine';
import { columns } from './columns';
import { densities } from './densities';
import { elementwise } from './elementwise';
import { images } from './images';
import { linalg } from './linalg';
import { linear } from './linear';
import { made } from './made';
import { type Instruction, operands } from './operands';
import { sequences } from './sequences';
import { training } from './training';
import { transformers } from './transformers';

/** The instructions for matrices of `n` rows and `d` columns. */
export function instructions(dtype: FloatDType, n: number, d: number): Instruction[] {
  const on = operands(dtype, n, d);
  for (const group of [
    elementwise,
    columns,
    linear,
    affine,
    made,
    transformers,
    linalg,
    densities,
    training,
    images,
    sequences,
  ])
    group(on);
  return on.list;
}
