/** Log-densities and draws. */
import { tensorOfArray } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function densities({
  add,
  n,
  d,
  u,
  f64,
  real,
  positive,
  out,
  out64,
  x,
  levels,
  uniform,
}: Operands): void {
  for (const kind of [0, 1, 2]) {
    const more = () => (kind === 2 ? [positive([n, d])] : []);
    add(
      'log_prob',
      () => [x(), ...more()],
      () => [out64(n)],
      kind,
    );
    const outputs = () => [out(n, d), kind === 2 ? out(n, d) : null];
    add('log_prob_grad', () => [x(), f64([n]), ...more()], outputs, kind);
  }
  const state = () => tensorOfArray(Int32Array.of(-5, 17, -1, 3), [4]); // the count of calls carries over
  add(
    'random_uniform',
    () => [],
    () => [out(n, d), state()],
  );
  add(
    'random_normal',
    () => [],
    () => [out(n, d), state()],
  );
  add(
    'random_bernoulli',
    () => [positive([n, d])],
    () => [out(n, d), state()],
  );
  add(
    'categorical_log_prob',
    () => [real([n, 2 * d], 2), levels([n, 2], d)],
    () => [out64(1), out(n, 4)],
    ...[d, n],
  );
  add(
    'categorical_log_prob_grad',
    () => [real([n, 2 * d]), levels([n, 2], d), real([n, 4], 0.1), f64([n])],
    () => [out(n, 2 * d)],
    ...[d, 1],
  );
  const mixture = () => real([n, 6 * u], 0.8);
  add(
    'logistic_mixture_log_prob',
    () => [mixture(), levels([n, 2], d + 1)],
    () => [out64(n)],
    ...[d + 1, -7, 1],
  );
  add(
    'logistic_mixture_log_prob_grad',
    () => [mixture(), levels([n, 2], d + 1), f64([1])],
    () => [out(n, 6 * u)],
    ...[d + 1, -1, n],
  );
  add(
    'discrete_sample',
    () => [real([n, 2 * d], 2), uniform([n, 2])],
    () => [out(n, 2)],
    ...[0, d, 0],
  );
  add(
    'discrete_sample',
    () => [mixture(), uniform([n, 3])],
    () => [out(n, 2)],
    ...[1, d + 1, -7],
  );
  add(
    'discrete_sample',
    () => [real([n, d]), uniform([n, d])],
    () => [out(n, d)],
    ...[2, 2, 0],
  );
}
