import { describe, expect, it } from 'vitest';
import { extentsOver, hiddenDegrees, inputDegrees, repeatDegrees } from '../../lib/nn';
import { RandomStream } from '../../lib/ops';
import { hiddenMask, outputMask, sequentialDegrees } from '../reference/made';

const stream = new RandomStream(3);

describe('hidden degrees', () => {
  it.each([
    [7, 5, 1],
    [5, 7, 1],
    [9, 4, 0],
    [3, 1, 1],
  ] as const)(
    'sequential, %i units, %i features, from %i: the formula, sorted',
    (units, features, least) => {
      const expected = sequentialDegrees(features, units, least).sort((a, b) => a - b);
      expect([...hiddenDegrees('sequential', units, features, least, stream)]).toEqual(expected);
    },
  );

  it('spread evenly where there are fewer units than degrees, the highest included', () => {
    expect([...hiddenDegrees(undefined, 3, 10, 1, stream)]).toEqual([3, 6, 9]);
    expect([...hiddenDegrees('spread', 1, 10, 1, stream)]).toEqual([9]);
    expect([...hiddenDegrees('spread', 6, 4, 1, stream)]).toEqual([1, 1, 2, 2, 3, 3]);
    expect([...hiddenDegrees(undefined, 6, 4, 1, stream)]).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('random between the least and D − 1, all of them', () => {
    const degrees = hiddenDegrees('random', 2000, 6, 2, stream);
    expect(new Set(degrees)).toEqual(new Set([2, 3, 4, 5]));
    expect([...degrees]).toEqual([...degrees].sort((a, b) => a - b));
  });
});

describe('extents', () => {
  it.each(['sequential', 'spread', 'random'] as const)(
    'are the masks of MADE, eqs. 12 and 13: %s',
    (rule) => {
      const features = 6;
      const inputs = inputDegrees(features);
      const first = hiddenDegrees(rule, 9, features, 1, stream);
      const second = hiddenDegrees(rule, 7, features, 1, stream);
      const outputs = repeatDegrees(inputs, 2);
      const dense = (extents: Int32Array, width: number) =>
        [...extents].flatMap((extent) =>
          Array.from({ length: width }, (_, i) => (i < extent ? 1 : 0)),
        );
      expect(dense(extentsOver(first, inputs, 0), 6)).toEqual(hiddenMask([...first], [...inputs]));
      expect(dense(extentsOver(second, first, 0), 9)).toEqual(hiddenMask([...second], [...first]));
      expect(dense(extentsOver(outputs, second, 1), 7)).toEqual(
        outputMask([...inputs], [...second], 2),
      );
    },
  );
});
