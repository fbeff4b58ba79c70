import { squeeze, unsqueeze } from '../../lib/ops';
import type { ImageShape } from '../../lib/shape';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

const images: readonly ImageShape[] = [
  { height: 2, width: 2, channels: 1 },
  { height: 2, width: 6, channels: 2 },
  { height: 4, width: 2, channels: 3 },
  { height: 4, width: 4, channels: 4 },
  { height: 6, width: 8, channels: 5 },
  { height: 4, width: 2, channels: 8 },
  { height: 2, width: 4, channels: 9 },
  { height: 16, width: 16, channels: 6 },
  { height: 28, width: 28, channels: 1 },
];

/** out[n, i, j, (a, b, c)] = x[n, 2i + a, 2j + b, c], by indices one at a time. */
function reference(x: Float64Array, samples: number, image: ImageShape, back: boolean) {
  const { height, width, channels } = image;
  const out = new Float64Array(x.length);
  for (let n = 0; n < samples; n++)
    for (let i = 0; i < height / 2; i++)
      for (let j = 0; j < width / 2; j++)
        for (let a = 0; a < 2; a++)
          for (let b = 0; b < 2; b++)
            for (let c = 0; c < channels; c++) {
              const pixel = ((n * height + 2 * i + a) * width + 2 * j + b) * channels + c;
              const deep =
                (((n * height) / 2 + i) * (width / 2) + j) * 4 * channels +
                (2 * a + b) * channels +
                c;
              if (back) out[pixel] = x[deep]!;
              else out[deep] = x[pixel]!;
            }
  return out;
}

const cases = images.flatMap((image): OpCase[] => {
  const shape = [3, image.height * image.width * image.channels];
  const label = `${image.height} × ${image.width} × ${image.channels}`;
  return [false, true].map((back) => ({
    name: `${back ? 'back, ' : ''}${label}`,
    inputs: [{ shape }],
    run: (x) => (back ? unsqueeze(x, image) : squeeze(x, image)),
    expected: (x) => ({ shape, values: reference(x, 3, image, back) }),
    units: 0,
  }));
});

export const contract: OpContract = {
  module: 'squeeze',
  native: ['squeeze'],
  cases,
  errors: [
    {
      name: 'an odd width',
      run: () => squeeze(f32([2, 6]), { height: 2, width: 3, channels: 1 }),
      code: 'SHAPE',
      says: /\[squeeze\] x: expected rows of an image of even height and width, 2 × 3 × 1, got 6 columns/,
    },
    {
      name: 'rows of another image',
      run: () => unsqueeze(f32([2, 12]), { height: 2, width: 2, channels: 4 }),
      code: 'SHAPE',
      says: /\[squeeze\] x: expected .* 2 × 2 × 4, got 12 columns/,
    },
    {
      name: 'integers',
      run: () => squeeze(ofType([2, 4], 'uint8'), { height: 2, width: 2, channels: 1 }),
      code: 'DTYPE',
      says: /\[squeeze\] x: expected float32 or float64, got uint8/,
    },
  ],
};
