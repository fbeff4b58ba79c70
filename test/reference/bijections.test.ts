import { describe, expect, it } from 'vitest';
import {
  affine,
  elementwise,
  expBijection,
  inversePermutation,
  logit,
  permute,
  sigmoidBijection,
  softplusBijection,
  tanhBijection,
} from './bijections';
import { derivative } from './differences';

const real = [-4, -1.3, -0.2, 0.4, 1.1, 3.7];
const unit = [0.001, 0.1, 0.37, 0.5, 0.82, 0.999];
const table = [
  ['affine', affine(-0.7, -2.5), real],
  ['logit, λ = 0.05', logit(0.05), unit],
  ['logit, λ = 1e-6', logit(1e-6), unit],
  ['sigmoid', sigmoidBijection, real],
  ['softplus', softplusBijection, real],
  ['tanh', tanhBijection, real.map((x) => x / 2)],
  ['exp', expBijection, real],
] as const;

describe('element-wise bijections', () => {
  it.each(table)(
    '%s: inverse, and log-det is the log of the derivative',
    (_, bijection, points) => {
      for (const x of points) {
        const { y, logDet } = bijection.forward(x);
        const back = bijection.inverse(y);
        expect(back.y).toBeCloseTo(x, 12);
        expect(back.logDet).toBeCloseTo(-logDet, 11);
        // A step that stays inside (0, 1); the numeric derivative is good to about 1e-9 of itself there.
        const slope = derivative((t) => bijection.forward(x + t).y, 2e-4).value;
        expect(Math.log(Math.abs(slope))).toBeCloseTo(logDet, 8);
      }
    },
  );

  it('logit with λ is finite at 0 and 1, and symmetric', () => {
    const { forward } = logit(1e-6);
    expect(forward(0).y).toBeCloseTo(Math.log(1e-6 / (1 - 1e-6)), 9);
    expect(forward(1).y).toBe(-forward(0).y);
    expect(forward(1).logDet).toBe(forward(0).logDet);
  });

  it('softplus inverse keeps its digits near 0', () => {
    expect(softplusBijection.inverse(1e-20).y).toBeCloseTo(Math.log(1e-20), 12);
  });

  it('adds up the log-dets of a row', () => {
    const { y, logDet } = elementwise(affine(1, 3).forward, [1, 2, 3, 4], 2);
    expect([...y]).toEqual([4, 7, 10, 13]);
    expect([...logDet]).toEqual([2 * Math.log(3), 2 * Math.log(3)]);
  });

  it('permutes columns and back', () => {
    const order = [2, 0, 1];
    const y = permute([1, 2, 3, 4, 5, 6], 2, order);
    expect([...y]).toEqual([3, 1, 2, 6, 4, 5]);
    expect([...permute(y, 2, inversePermutation(order))]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
