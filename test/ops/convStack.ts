import { type Activation, convStack } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import * as reference from '../reference/conv2d';
import { activated, fanIn, farFromZero, sumUnits } from './linearCases';

const [images, height, width] = [2, 3, 4] as const;
const pixels = images * height * width;

/** Layers by channels and size of the kernel, with an activation behind each. */
function stack(
  channels: readonly number[],
  sizes: readonly number[],
  activations: readonly Activation[],
  hasAddend: boolean,
  hasBias = true,
): OpCase {
  const plan = (k: number): reference.Plan => ({
    ...{ images, height, width },
    ...{ inputs: channels[k]!, outputs: channels[k + 1]!, kernel: [sizes[k]!, sizes[k]!] },
    rowStep: (i) => i - (sizes[k]! - 1) / 2,
    columnStep: (j) => j - (sizes[k]! - 1) / 2,
    isLive: () => true,
  });
  const plans = sizes.map((_, k) => plan(k));
  const depthOf = (k: number) => sizes[k]! ** 2 * channels[k]!;
  const count = sizes.length;
  const kinked = activations.map((activation) => activation === 'relu');
  return {
    name: `${channels.join(' → ')}, kernels ${sizes.join(', ')}, ${activations.join(', ')}${hasAddend ? ', addend' : ''}${hasBias ? '' : ', no bias'}`,
    inputs: [
      { shape: [pixels, channels[0]!] },
      ...sizes.map((_, k) => ({
        shape: [channels[k + 1]!, depthOf(k)],
        values: fanIn(depthOf(k) * (kinked[k - 1] ? 16 : 1)),
      })),
      ...(hasBias
        ? sizes.map((_, k) => ({
            shape: [channels[k + 1]!],
            ...(kinked[k] ? { values: farFromZero } : {}),
          }))
        : []),
      ...(hasAddend ? [{ shape: [pixels, channels[1]!] }] : []),
    ],
    run: (x, ...rest) =>
      convStack(
        x!,
        sizes.map((size, k) => ({
          ...{ height, width, kernel: [size, size] as const },
          weight: rest[k]!,
          bias: hasBias ? rest[count + k]! : null,
          activation: activations[k]!,
        })),
        { addend: hasAddend ? rest.at(-1)! : null },
      ),
    expected: (x, ...rest) => {
      let values = x!;
      plans.forEach((one, k) => {
        const { outputs } = one;
        const bias = hasBias ? rest[count + k]! : new Float64Array(outputs);
        const z = reference.conv2d(one, values, rest[k]!).map((v, i) => v + bias[i % outputs]!);
        values = activated(activations[k]!, z, hasAddend && k === 0 ? rest.at(-1)! : null);
      });
      return { shape: [pixels, channels.at(-1)!], values };
    },
    units: sumUnits(sizes.reduce((total, _, k) => total + depthOf(k), 0)),
    gradientUnits: 256 + 4 * pixels + sizes.reduce((total, _, k) => total + depthOf(k), 0),
  };
}

const image = { height, width, kernel: [3, 3] } as const;

export const contract: OpContract = {
  module: 'convStack',
  native: [],
  cases: [
    stack([2, 6, 6, 3], [3, 1, 3], ['tanh', 'softplus', 'none'], false),
    stack([2, 5, 7, 4], [3, 1, 3], ['relu', 'relu', 'none'], true),
    stack([9, 3], [3], ['tanh'], false),
    stack([3, 4], [1], ['none'], true),
    stack([4, 8, 2], [1, 3], ['elu', 'sigmoid'], true),
    stack([3, 4, 2], [3, 1], ['none', 'none'], false, false),
  ],
  errors: [
    {
      name: 'no layers',
      run: () => convStack(f32([12, 2]), []),
      code: 'ARGUMENT',
      says: /\[convStack\] layers: expected at least one, got none/,
    },
    {
      name: 'a layer that does not fit the one before',
      run: () =>
        convStack(f32([12, 2]), [
          { ...image, weight: f32([4, 18]), bias: null },
          { ...image, weight: f32([4, 27]), bias: null },
        ]),
      code: 'SHAPE',
      says: /\[conv2d\] weight: expected shape \[out, taps·in\] = \[out, 9·4\].*got \[4, 27\]/,
    },
  ],
};
