import { type Activation, convStack } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import * as reference from '../reference/conv2d';
import { activated, fanIn, farFromZero, sumUnits } from './linearCases';

const [height, width] = [3, 4] as const;

/** Layers by channels and size of the kernel, with an activation behind each. Few images go layer by layer. */
function stack(
  images: number,
  channels: readonly number[],
  sizes: readonly number[],
  activations: readonly Activation[],
  hasAddend: boolean,
  hasBias = true,
): OpCase {
  const pixels = images * height * width;
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
    name: `${images} images, ${channels.join(' → ')}, kernels ${sizes.join(', ')}, ${activations.join(', ')}${hasAddend ? ', addend' : ''}${hasBias ? '' : ', no bias'}`,
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
  native: ['conv_stack', 'conv_stack_grad'],
  cases: [
    // Three groups of images, the last one not full.
    ...[13, 2].flatMap((images) => [
      stack(images, [2, 6, 6, 3], [3, 1, 3], ['tanh', 'softplus', 'none'], false),
      stack(images, [2, 5, 7, 4], [3, 1, 3], ['relu', 'relu', 'none'], true),
      stack(images, [9, 3], [3], ['tanh'], false),
      stack(images, [3, 4], [1], ['none'], true),
      stack(images, [4, 8, 2], [1, 3], ['softplus', 'sigmoid'], true),
      stack(images, [3, 4, 2], [3, 1], ['none', 'none'], false, false),
    ]),
    stack(70, [3, 17, 33, 5], [3, 1, 3], ['tanh', 'sigmoid', 'none'], true),
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
      says: /\[convStack\] weight: expected shape \[out, taps·in\] = \[out, 9·4\].*got \[4, 27\]/,
    },
  ],
};
