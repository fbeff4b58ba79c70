import { describe, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { Chain } from '../../lib/bijections/chain';
import type { Invert } from '../../lib/bijections/invert';
import { iaf } from '../../lib/flows/autoregressive';
import { add, affineScalar, columns, div, mean, reshape, square, sub, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import { type GoldenTensor, goldenCases, values } from '../reference/goldens';
import { goldenTensor, inLibraryOrder, loadLayer, pairLayers } from './load';

// Degrees from 1 with a context: the library gives such networks units of degree 0 (see maf.test.ts).
const cases = goldenCases('iafReverseKl').filter((row) => !row.name.includes('context'));

describe.each(cases.map((row) => [row.name, row] as const))(
  'reverse KL golden %s',
  (_name, row) => {
    it('loss and gradients along the path of the draw', () => {
      const { features, boundA } = row.config;
      const flow = iaf({
        features,
        transforms: row.layers.length,
        hidden: row.layers[0]?.hidden ?? [],
        scale: boundA === 'tanh' ? { kind: 'tanh', bound: 1 } : { kind: 'none' },
        dtype: 'float64',
      });
      const chain = (flow.bijection as Invert).bijection as Chain;
      const layers = pairLayers(chain.bijections, row.layers);
      for (const { module, golden, order } of layers) loadLayer(module, golden.params, order);
      // Two layers have one permutation between them: the library's x comes out in reversed order.
      const reversed = layers.at(-1)?.order[0] !== 0;

      scope(() => {
        const order = (tensor: GoldenTensor | undefined) => {
          const given = goldenTensor(tensor);
          return reversed ? reverseColumns(given) : given;
        };
        const { center, scale } = row.target;
        const [bend] = values(row.target.bend);
        const logTarget = (x: Tensor) => {
          const parts = square(div(sub(x, order(center)), order(scale)));
          const column = (k: number) => {
            const at = reversed ? features - 1 - k : k;
            return reshape(columns(x, at, at + 1), [x.rows]);
          };
          const curve = square(sub(column(1), square(column(0))));
          return add(
            affineScalar(sum(parts, -1), -0.5, 0),
            affineScalar(curve, -(bend as number), 0),
          );
        };
        const noise = goldenTensor(row.inputs.noise);
        const { x, logDet } = flow.inverse(noise);
        const outputs = row.outputs;
        expectClose(x.dataSync(), order(outputs.x).dataSync(), 200, 'x');
        expectClose(logDet.dataSync(), values(outputs.logDet), 200, 'logDet');
        const parameters = flow.parameters();
        const { value, gradients } = valueAndGradient(() => {
          const draw = flow.inverse(noise);
          return mean(sub(sub(flow.base.logProb(noise), draw.logDet), logTarget(draw.x)));
        }, parameters);
        expectClose(value.dataSync(), [outputs.loss], 400, 'loss');
        const gradientOf = new Map(parameters.map((tensor, k) => [tensor.id, gradients[k]]));
        layers.forEach(({ module, order: turned }, k) => {
          for (const [name, tensor] of module.namedParameters()) {
            const golden = row.gradients.layers[k]?.[name] as GoldenTensor;
            expectClose(
              gradientOf.get(tensor.id)?.dataSync() ?? [],
              inLibraryOrder(name, golden, turned),
              400,
              `d ${k}.${name}`,
            );
          }
        });
      });
      flow.dispose();
    });
  },
);

function reverseColumns(tensor: Tensor): Tensor {
  const flat = tensor.dataSync() as Float64Array;
  const width = tensor.cols;
  return goldenTensor({
    shape: tensor.shape,
    data: [...flat].map((_, k) => flat[k - (k % width) + width - 1 - (k % width)] as number),
  });
}
