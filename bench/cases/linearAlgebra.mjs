// Triangular solves and the LU form of a 1×1 convolution, at the sizes that bench/peers/linear_algebra.py has in PyTorch:
// 4096 rows, which are 16 images of 16×16 positions. What a training step and a sampler run: recorded, then one native call.
import { createRequire } from 'node:module';
import flow from '../../dist/index.js';
import { matrix, triangle } from '../instruction.mjs';

const require = createRequire(import.meta.url);
const { pullback } = require('../../dist/autograd/gradient.js');

const images = 16;
const positions = 256;

function solve(n) {
  const t = triangle(n);
  const b = matrix(images * positions, n);
  const program = flow.record(() => flow.triangularSolve(t, b, { lower: false }));
  return () => program.run();
}

/** Forward with its log-determinants, then the gradients by x and by the parameters. */
function forwardBackward(channels) {
  const map = new flow.LuLinear({ channels, positions, seed: 1 });
  const x = matrix(images, channels * positions);
  const dy = matrix(images, channels * positions);
  const dLogDet = matrix(1, images, { dtype: 'float64' });
  const by = [x, ...map.parameters()];
  const program = flow.record(() =>
    pullback(
      (watch) => {
        by.forEach(watch);
        const { y, logDet } = map.forward(x);
        return { outputs: [y, logDet], by };
      },
      [dy, flow.reshape(dLogDet, [images])],
    ),
  );
  return () => program.run();
}

function inverse(channels) {
  const map = new flow.LuLinear({ channels, positions, seed: 1 });
  const y = matrix(images, channels * positions);
  const program = flow.record(() => map.inverse(y));
  return () => program.run();
}

const variants = ['eager', 'channels-last', 'compile'];

export const linearAlgebraCases = [
  ...[32, 128, 512].map((n) => ({
    name: `solve:n=${n}`,
    setUp: () => solve(n),
    peer: { name: `solve:n=${n}`, variants: ['eager'] },
  })),
  ...[12, 48, 96].flatMap((channels) => [
    {
      name: `lu:C=${channels}`,
      setUp: () => forwardBackward(channels),
      peer: { name: `lu:C=${channels}`, variants },
    },
    {
      name: `lu:C=${channels}:inverse`,
      setUp: () => inverse(channels),
      peer: { name: `lu:C=${channels}:inverse`, variants },
    },
  ]),
];
