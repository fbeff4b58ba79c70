// Every case, in the order of a whole run.
import { continuousCases } from './continuous.mjs';
import { convolutionCases } from './convolutions.mjs';
import { flowCases } from './flows.mjs';
import { kernelCases } from './kernels.mjs';
import { linearAlgebraCases } from './linearAlgebra.mjs';
import { memoryCases } from './memory.mjs';
import { pixelCases } from './pixels.mjs';
import { residualCases } from './residual.mjs';
import { sequenceCases } from './sequences.mjs';

export const allCases = [
  ...flowCases,
  ...memoryCases,
  ...linearAlgebraCases,
  ...continuousCases,
  ...residualCases,
  ...kernelCases,
  ...convolutionCases,
  ...sequenceCases,
  ...pixelCases,
];

/** Cases named in full or by their beginning; none named: all. A word that names nothing ends the process. */
export function chosenCases(wanted) {
  const unknown = wanted.filter((word) => !allCases.some(({ name }) => name.startsWith(word)));
  if (unknown.length > 0) {
    console.error(`unknown case ${unknown.join(', ')}; --list prints the cases`);
    process.exit(2);
  }
  return allCases.filter(
    ({ name }) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)),
  );
}
