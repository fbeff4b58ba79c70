import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { build, type Conditioner } from '../../lib/nn';
import { mul, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

// Sums of some dozen products, three deep; the largest of the array is the scale.
const units = 200;

describe.each(goldenCases('convNet').map((row) => [row.name, row] as const))(
  'convolutional network golden %s',
  (_name, row) => {
    it('outputs and gradients', () => {
      const before = memory().buffers;
      const network = build({ ...row.config, dtype: 'float64' }) as Conditioner;
      const named = [...network.namedParameters()];
      expect(named.map(([name]) => name).sort()).toEqual(Object.keys(row.params).sort());
      for (const [name, tensor] of named) tensor.write(values(row.params[name]));
      const state = [...network.namedState()];
      expect(state.map(([name]) => name).sort()).toEqual(Object.keys(row.state).sort());
      for (const [name, tensor] of state) {
        const held = values(row.state[name]);
        tensor.write(tensor.dtype === 'int32' ? Int32Array.from(held) : held);
      }
      network.train(row.training);
      scope(() => {
        const x = goldenTensor(row.inputs.x);
        const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
        const weights = goldenTensor(row.outputWeights);
        expectClose(network.apply(x, context).dataSync(), values(row.outputs.y), units, 'y');
        const leaves: [string, typeof x][] = [['x', x], ...named];
        if (context) leaves.push(['context', context]);
        const { gradients } = valueAndGradient(
          () => sum(mul(network.apply(x, context), weights)),
          leaves.map(([, tensor]) => tensor),
        );
        const all = leaves.flatMap(([name]) => [...values(row.gradients[name])]);
        const most = Math.max(...all.map(Math.abs));
        leaves.forEach(([name], k) => {
          const wanted = values(row.gradients[name]);
          // What a batch or weight norm removes of a gradient cancels in terms like the largest of all.
          const scale = row.config.kind === 'residualConvNet' ? most : undefined;
          expectClose(gradients[k]!.dataSync(), wanted, units, `d ${name}`, scale);
        });
      });
      network.dispose();
      expect(memory().buffers).toBe(before);
    });
  },
);
