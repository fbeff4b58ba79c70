/** Emerging and periodic convolutions against PyTorch: convolutions of its own, log-dets of dense matrices and by FFT. */
import { describe, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  AutoregressiveConv,
  type Bijection,
  emergingConv,
  PeriodicConv,
} from '../../lib/bijections';
import { add, mul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import { type GoldenInvertibleConv, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const dtype = 'float64';

/** The bijection with the golden's weights, and those of its tensors that have a gradient, by their names there. */
function build({ type, image, parts, params }: GoldenInvertibleConv) {
  const [first] = parts;
  const make = (): Bijection => {
    if (type === 'periodic') return new PeriodicConv({ image, ...first, dtype });
    if (parts.length === 1) return new AutoregressiveConv({ image, ...first, dtype });
    return emergingConv({ image, kernel: first.kernel, bias: true, dtype });
  };
  const bijection = make();
  const convs = [...bijection.modules()]
    .map(([, module]) => module)
    .filter((module) => module instanceof AutoregressiveConv || module instanceof PeriodicConv);
  const leaves = new Map<string, Tensor>();
  for (const [k, conv] of convs.entries())
    for (const [name, tensor] of [...conv.namedParameters(), ...conv.namedState()]) {
      const key = `${k}.${name}`;
      tensor.write(values(params[key]));
      if (name !== 'sign') leaves.set(key, tensor);
    }
  return { bijection, leaves };
}

// Sums of up to fifty terms; solutions with conditions of some hundred.
const units = 2000;

describe.each(goldenCases('invertibleConvs').map((row) => [row.name, row] as const))(
  '%s',
  (_, row) => {
    it('y, log|det|, gradients, and the way back', () => {
      scope(() => {
        const { bijection, leaves } = build(row);
        const x = goldenTensor(row.inputs.x);
        const { y, logDet } = bijection.forward(x);
        expectClose(y.dataSync(), values(row.outputs.y), units, 'y');
        expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'log-det');
        const loss = () => {
          const made = bijection.forward(x);
          return add(
            sum(mul(made.y, goldenTensor(row.outputWeights))),
            sum(mul(made.logDet, goldenTensor(row.logDetWeights))),
          );
        };
        const { gradients } = valueAndGradient(loss, [x, ...leaves.values()]);
        expectClose(gradients[0]?.dataSync() ?? [], values(row.gradients.inputs.x), units, 'dx');
        [...leaves.keys()].forEach((name, k) => {
          const golden = values(row.gradients.params[name]);
          expectClose(gradients[k + 1]?.dataSync() ?? [], golden, units, `d ${name}`);
        });
        const back = bijection.inverse(goldenTensor(row.outputs.y));
        expectClose(back.x.dataSync(), values(row.inputs.x), 100 * units, 'x');
        const expected = values(row.outputs.logDet).map((v) => -v);
        expectClose(back.logDet.dataSync(), expected, 10 * units, 'log-det of the inverse');
        bijection.dispose();
      });
    });
  },
);
