import { type Activation, conv2d } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/conv2d';
import { type ConvCase, convCases } from './conv2dCases';
import { activated, fanIn, farFromZero, sumUnits } from './linearCases';

function row(
  { name, geometry, plan }: ConvCase,
  activation: Activation,
  hasAddend: boolean,
): OpCase {
  const { images, height, width, inputs, outputs, kernel } = plan;
  const pixels = images * height * width;
  const depth = kernel[0] * kernel[1] * inputs;
  const kinked = activation === 'relu' || activation === 'leakyRelu';
  return {
    name: `${activation}${hasAddend ? ', addend' : ''}, ${name}`,
    inputs: [
      { shape: [pixels, inputs] },
      { shape: [outputs, depth], values: fanIn(depth) },
      kinked ? { shape: [outputs], values: farFromZero } : { shape: [outputs] },
      ...(hasAddend ? [{ shape: [pixels, outputs] }] : []),
    ],
    run: (x, weight, bias, addend) =>
      conv2d(x!, weight!, bias!, { ...geometry, activation, addend: hasAddend ? addend! : null }),
    expected: (x, weight, bias, addend) => {
      const z = reference.conv2d(plan, x!, weight!).map((value, i) => value + bias![i % outputs]!);
      return {
        shape: [pixels, outputs],
        values: activated(activation, z, hasAddend ? addend! : null),
      };
    },
    units: sumUnits(depth),
    gradientUnits: 64 + depth + pixels,
  };
}

const activations: readonly Activation[] = ['none', 'relu', 'tanh', 'softplus'];
const [wider, narrower] = convCases as [ConvCase, ConvCase, ...ConvCase[]];
const image = { height: 2, width: 3, kernel: [3, 3] } as const;

const threeAxes: OpCase = {
  name: 'no bias, three axes',
  inputs: [{ shape: [2, 6, 2] }, { shape: [3, 18] }],
  run: (x, weight) => conv2d(x!, weight!, null, image),
  expected: (x, weight) => ({
    shape: [2, 6, 3],
    values: reference.conv2d(
      {
        ...{ images: 2, height: 2, width: 3, inputs: 2, outputs: 3, kernel: [3, 3] },
        ...{ rowStep: (i) => i - 1, columnStep: (j) => j - 1, isLive: () => true },
      },
      x!,
      weight!,
    ),
  }),
  units: sumUnits(18),
};

export const contract: OpContract = {
  module: 'conv2d',
  native: ['conv2d', 'conv2d_grad_input', 'conv2d_grad_weight'],
  cases: [
    ...convCases.map((one, k) => row(one, activations[k % 4]!, k % 3 === 2)),
    ...activations.flatMap((activation) => [
      row(wider, activation, true),
      row(narrower, activation, true),
    ]),
    threeAxes,
  ].filter((test, k, all) => all.findIndex((other) => other.name === test.name) === k),
  errors: [
    {
      name: 'pixels of part of an image',
      run: () => conv2d(f32([7, 2]), f32([4, 18]), null, image),
      code: 'SHAPE',
      says: /\[conv2d\] x: expected shape \[images·2·3, channels\], got \[7, 2\]/,
    },
    {
      name: 'weight',
      run: () => conv2d(f32([6, 2]), f32([4, 17]), null, image),
      code: 'SHAPE',
      says: /\[conv2d\] weight: expected shape \[out, taps·in\] = \[out, 9·2\].*got \[4, 17\]/,
    },
    {
      name: 'bias',
      run: () => conv2d(f32([6, 2]), f32([4, 18]), f32([3]), image),
      code: 'SHAPE',
      says: /\[conv2d\] bias: expected shape \[4\], got \[3\]/,
    },
    {
      name: 'addend',
      run: () => conv2d(f32([6, 2]), f32([4, 18]), null, { ...image, addend: f32([6, 2]) }),
      code: 'SHAPE',
      says: /\[conv2d\] addend: expected shape \[6, 4\], got \[6, 2\]/,
    },
    {
      name: 'types',
      run: () => conv2d(f32([6, 2]), ofType([4, 18], 'float64'), null, image),
      code: 'DTYPE',
      says: /\[conv2d\] weight: expected float32, got float64/,
    },
    {
      name: 'integers',
      run: () => conv2d(ofType([6, 2], 'int32'), ofType([4, 18], 'int32'), null, image),
      code: 'DTYPE',
      says: /\[conv2d\] x: expected float32 or float64/,
    },
    {
      name: 'dilation',
      run: () => conv2d(f32([6, 2]), f32([4, 18]), null, { ...image, dilation: [1, 0] }),
      code: 'ARGUMENT',
      says: /\[conv2d\] dilation\[1\]: expected a whole number ≥ 1, got 0/,
    },
    {
      name: 'padding',
      run: () => conv2d(f32([6, 2]), f32([4, 18]), null, { ...image, padding: 'valid' as 'same' }),
      code: 'ARGUMENT',
      says: /\[conv2d\] padding: expected same or causal, got valid/,
    },
    {
      name: 'taps out of order',
      run: () => conv2d(f32([6, 2]), f32([4, 18]), null, { ...image, taps: [3, 2] }),
      code: 'ARGUMENT',
      says: /\[conv2d\] taps: expected rising places from 0 to 8, got \[3, 2\]/,
    },
    {
      name: 'unknown activation',
      run: () =>
        conv2d(f32([6, 2]), f32([4, 18]), null, { ...image, activation: 'swish' as 'relu' }),
      code: 'ARGUMENT',
      says: /activation: expected one of none, relu.*got swish/,
    },
  ],
};
