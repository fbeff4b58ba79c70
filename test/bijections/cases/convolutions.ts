/** Rows of the bijection contract: invertible convolutions. */
import { AutoregressiveConv, emergingConv, PeriodicConv } from '../../../lib/bijections';

import { type BijectionCase, randomized } from './case';

const imageOf = (height: number, width: number, channels: number) => ({ height, width, channels });
export const convolutionCases: readonly BijectionCase[] = [
  {
    name: 'autoregressive convolution, bias',
    features: 12,
    make: (dtype) =>
      randomized(new AutoregressiveConv({ image: imageOf(2, 3, 2), bias: true, dtype }), 71, 0.4),
  },
  {
    name: 'autoregressive convolution turned once, upper',
    features: 6,
    make: (dtype) => {
      const options = { image: imageOf(3, 2, 1), rotation: 1, lower: false, dtype } as const;
      const bijection = randomized(new AutoregressiveConv(options), 72, 0.4);
      bijection.sign.write(dtype === 'float32' ? Float32Array.of(-1) : Float64Array.of(-1));
      return bijection;
    },
  },
  {
    name: 'emerging convolution from the top right',
    features: 8,
    make: (dtype) =>
      randomized(emergingConv({ image: imageOf(2, 2, 2), rotation: 1, dtype }), 73, 0.3),
  },
  ...([3, 4] as const).map(
    (width): BijectionCase => ({
      name: `periodic convolution of 2 × ${width}`,
      features: 2 * width,
      make: (dtype) => {
        const options = { image: imageOf(2, width, 1), bias: width === 3, dtype };
        const bijection = randomized(new PeriodicConv(options), 74, 0.15);
        const values = bijection.weight.dataSync();
        values[4] = -1.4;
        bijection.weight.write(values);
        return bijection;
      },
    }),
  ),
  {
    name: 'periodic convolution of two channels',
    features: 4,
    make: (dtype) => {
      const bijection = new PeriodicConv({ image: imageOf(1, 2, 2), dtype });
      const values = bijection.weight.dataSync();
      values.forEach((value, k) => {
        values[k] = 1.3 * value + 0.02 * ((k % 5) - 2);
      });
      bijection.weight.write(values);
      return bijection;
    },
  },
];
