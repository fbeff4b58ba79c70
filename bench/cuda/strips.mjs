// Masked layers by our tiles, by one to sixteen strips of cuBLAS's, and by what the rule of cuda/core/strips.h chooses: what its rates are to
// be set by. Rows `strips …`, one a product, size and type.
import flow from '../../dist/index.js';
import { byKernels, matrix, native, vector, words } from '../instruction.mjs';

const sizes = [
  // rows, units and inputs
  [1024, 512],
  [4096, 512],
  [16384, 512],
  [1024, 1024],
  [4096, 1024],
  [4096, 2048],
  [4096, 4096],
];
const types = ['float32', 'tf32', 'float64'];
const cuts = [1, 2, 4, 8, 16];

const relu = [1, 0];
/** Instructions of one layer, whose staircase rises evenly. */
const products = {
  masked_linear: ({ x, weight, bias, extents, y }) =>
    words('masked_linear', [x, weight, bias, null, extents], [y], relu),
  masked_linear_grad_input: ({ x, weight, extents, y }) =>
    words('masked_linear_grad_input', [y, weight, extents], [x]),
  masked_linear_grad_weight: ({ x, weight, extents, y }) =>
    words('masked_linear_grad_weight', [y, x, extents], [weight]),
};

function makeLayer(rows, side, dtype) {
  const scale = 1 / side;
  return {
    x: matrix(rows, side, { dtype }),
    weight: matrix(side, side, { dtype, scale }),
    bias: vector(side, { dtype }),
    extents: vector(side, { dtype: 'int32', fill: (o) => o + 1 }),
    y: matrix(rows, side, { dtype }),
  };
}

/** `wanted` chooses by { name }; `time(run)` gives microseconds. */
export function timeStrips({ emulated }, wanted, time, print) {
  for (const [rows, side] of emulated ? [[20, 48]] : sizes) {
    for (const type of types) {
      const names = Object.keys(products)
        .map((op) => ({ op, name: `strips ${op} ${rows}x${side}x${side} ${type}` }))
        .filter(wanted);
      if (names.length === 0) continue;
      const layer = makeLayer(rows, side, type === 'float64' ? 'float64' : 'float32');
      flow.allowTf32(type === 'tf32');
      for (const { op, name } of names) {
        const run = byKernels(products[op](layer));
        const under = (count) => {
          native.cudaSet('strips', count);
          return time(run);
        };
        const row = { kernel: name, tilesUs: under(0), ruleUs: under(-1) };
        for (const count of cuts) row[`strips${count}Us`] = under(count);
        print(row);
        native.cudaSet('strips', -1);
      }
      flow.allowTf32(false);
      for (const tensor of Object.values(layer)) tensor.dispose();
    }
  }
}
