/** What a training step does with gradients and parameters. */
import { tensorOfArray } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function training({ add, n, d, indices, real, positive, out64, x }: Operands): void {
  const norm = () => tensorOfArray(Float64Array.of(3), [1]);
  const tensors = () => [x(), real([d])];
  const squares = () => [positive([n, d]), positive([d])];
  for (const flag of [0, 1]) {
    const adamState = () => tensorOfArray(Float64Array.of(4, 1e-2, 0.9, 0.999, 1e-8, 0.1, 2), [7]);
    const parts = () => [adamState(), ...tensors(), ...tensors(), ...squares()];
    add('adam', () => [norm(), null, ...tensors(), indices(n, d + 1), null], parts, flag);
    const sgdState = () => tensorOfArray(Float64Array.of(1e-2, 0.9, 0.1, 2), [4]);
    add(
      'sgd',
      () => [norm(), null, ...tensors()],
      () => [sgdState(), ...tensors(), ...tensors()],
      flag,
    );
  }
  add('ema', () => [tensorOfArray(Float64Array.of(0.97), [1]), null, ...tensors()], tensors);
  add('clip', () => [norm(), tensorOfArray(Float64Array.of(0.7), [1])], tensors);
  add(
    'grad_norm',
    () => [x(), null, real([d])],
    () => [out64(1)],
  );
  const broken = () => tensorOfArray(Float64Array.of(1, Number.NaN, 2), [3]);
  add(
    'check_finite',
    () => [x(), broken(), real([d])],
    () => [{ shape: [1], dtype: 'int32' }],
  );
}
