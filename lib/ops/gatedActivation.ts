/** The gated activation of PixelCNN and WaveNet. */
import { isTracked } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { mul } from './binary';
import { requireFloat, requireTensor } from './check';
import { columns, concatColumns } from './columns';
import { apply, type OpDefinition } from './define';
import { sigmoid, square, tanh } from './unary';

/** 1 − x. */
const rest = (x: Tensor): Tensor => affineScalar(x, -1, 1);

const definition: OpDefinition<null> = {
  name: 'gated_activation',
  outputs([x]) {
    const { shape, cols, dtype } = x as Tensor;
    requireFloat('gatedActivation', 'x', x as Tensor);
    if (shape.length === 0 || cols % 2 !== 0) {
      throw new FlowError(
        'SHAPE',
        expected(
          'gatedActivation',
          'x',
          'an even number of columns, [a | b]',
          formatShape(shape),
          'the layer before it must have two outputs a channel',
        ),
      );
    }
    return [{ shape: [...shape.slice(0, -1), cols / 2], dtype }];
  },
  saves: { inputs: [0], outputs: [] },
  vjp({ inputs, d }) {
    const [x, dy] = [inputs[0] as Tensor, d[0] as Tensor];
    if (!isTracked([x, dy])) {
      return execute('gated_activation_grad', [x, dy], [{ shape: x.shape, dtype: x.dtype }], []);
    }
    const half = x.cols / 2;
    const t = tanh(columns(x, 0, half));
    const s = sigmoid(columns(x, half, x.cols));
    const byT = mul(dy, s);
    return [concatColumns([mul(byT, rest(square(t))), mul(mul(byT, t), rest(s))])];
  },
};

/**
 * y = tanh(a)·σ(b) with [a | b] = x: van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders",
 * equation 2. Differentiable any number of times.
 *
 * @param x float32 or float64 [.., 2·C]; may be a view of some columns
 * @returns [.., C]
 * @throws FlowError SHAPE, DTYPE
 */
export function gatedActivation(x: Tensor): Tensor {
  requireTensor('gatedActivation', 'x', x);
  return apply(definition, [x], null)[0] as Tensor;
}
