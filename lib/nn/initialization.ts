/** Starting values of parameters. */
import { totalmem } from 'node:os';
import { type FloatDType, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import type { RandomStream } from '../ops';
import { affineScalar } from '../ops';
import { type Shape, sizeOf } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

let budget = Number.POSITIVE_INFINITY;

/**
 * Runs `body` with a limit on the elements of all parameters that it makes: so that a damaged or hostile file, whose
 * config asks for more than the file holds, ends in an error and not in gigabytes.
 */
export function withElementBudget<T>(elements: number, body: () => T): T {
  const before = budget;
  budget = elements;
  try {
    return body();
  } finally {
    budget = before;
  }
}

/**
 * Claims `elements` of the budget.
 *
 * @throws FlowError FORMAT when there are not so many left; ARGUMENT where it is no number of elements, or more than the machine's
 *   memory holds
 */
export function claimElements(elements: number): void {
  if (!Number.isSafeInteger(elements) || elements < 0) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'model',
        'size of a layer',
        'a whole number of parameters',
        String(elements),
        'pass whole numbers as widths and features',
      ),
    );
  }
  const gigabytes = (4 * elements) / 2 ** 30;
  if (gigabytes > totalmem() / 2 ** 30 && budget === Number.POSITIVE_INFINITY) {
    const most = `at most the ${(totalmem() / 2 ** 30).toFixed(0)} GiB of this machine`;
    const got = `${elements} parameters, ${gigabytes.toFixed(0)} GiB`;
    const remedy = 'make its widths or features smaller';
    throw new FlowError('ARGUMENT', expected('model', 'size of a layer', most, got, remedy));
  }
  budget -= elements;
  if (budget < 0) {
    throw new FlowError(
      'FORMAT',
      expected(
        'model',
        'config',
        'no more parameters than the file holds',
        `at least ${elements} more`,
        'the file is damaged',
      ),
    );
  }
}

/**
 * Uniform in ±1/√fanIn: the default of the common frameworks' linear layers (Kaiming uniform with a = √5; LeCun et al.
 * 1998 up to the constant).
 */
export function uniformByFanIn(
  stream: RandomStream,
  shape: Shape,
  fanIn: number,
  dtype: FloatDType,
): Tensor {
  claimElements(sizeOf(shape));
  const bound = 1 / Math.sqrt(Math.max(1, fanIn));
  return scope(() => affineScalar(stream.uniform(shape, dtype), 2 * bound, -bound));
}

/**
 * The same for a masked weight [out, in]: the fan-in of unit o is the number of inputs that it sees, extents[o], and
 * what it does not see is zero.
 */
export function maskedUniformByFanIn(
  stream: RandomStream,
  extents: Int32Array,
  inputs: number,
  dtype: FloatDType,
): Tensor {
  const shape = [extents.length, inputs];
  claimElements(sizeOf(shape));
  return scope(() => {
    const values = stream.uniform(shape, dtype).dataSync();
    for (let o = 0; o < extents.length; o++) {
      const extent = extents[o] as number;
      const bound = 1 / Math.sqrt(Math.max(1, extent));
      for (let i = 0; i < inputs; i++) {
        const at = o * inputs + i;
        values[at] = i < extent ? (2 * (values[at] as number) - 1) * bound : 0;
      }
    }
    return tensorOfArray(values, shape);
  });
}

export function constant(shape: Shape, value: number, dtype: FloatDType): Tensor {
  claimElements(sizeOf(shape));
  const values = typedArray(dtype, sizeOf(shape));
  if (value !== 0) values.fill(value);
  return tensorOfArray(values, shape);
}

export function zeros(shape: Shape, dtype: FloatDType): Tensor {
  return constant(shape, 0, dtype);
}
