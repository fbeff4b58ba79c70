import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type Activation, type ConvGeometry, conv2d, mul, rasterTaps, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

// Sums of up to 81 products; the largest of the array is the scale.
const units = 100;
const cases = goldenCases('conv2d');

describe.each(cases.map((row) => [row.name, row] as const))('conv2d golden %s', (_name, row) => {
  it('outputs and gradients', () => {
    scope(() => {
      const names = Object.keys(row.inputs);
      const leaves = names.map((name) => goldenTensor(row.inputs[name]));
      const [x, weight, bias, addend = null] = leaves;
      const { taps, ...rest } = row.geometry;
      const geometry = (taps === null ? rest : { ...rest, taps }) as unknown as ConvGeometry;
      const run = () =>
        conv2d(x!, weight!, bias!, {
          ...geometry,
          activation: row.activation as Activation,
          addend,
        });
      expectClose(run().dataSync(), values(row.outputs.y), units, 'y');
      const weights = goldenTensor(row.outputWeights);
      const { gradients } = valueAndGradient(() => sum(mul(run(), weights)), leaves);
      names.forEach((name, k) => {
        expectClose(gradients[k]!.dataSync(), values(row.gradients[name]), units, `d ${name}`);
      });
    });
  });
});

it('rasterTaps are the taps of the masked goldens', () => {
  const tapsOf = (name: string) => cases.find((row) => row.name === name)?.geometry.taps;
  expect(rasterTaps([3, 3], { self: false })).toEqual(tapsOf('mask-a'));
  expect(rasterTaps([5, 3], { self: true })).toEqual(tapsOf('mask-b'));
});
