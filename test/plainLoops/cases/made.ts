/** Inverses of networks: MADE unit by unit, residual blocks, convolutions by their wavefront. */
import type { Tensor } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function made({ add, n, d, u, f64, int32, real, out, out64, x }: Operands): void {
  /** Weights of a 3 × 3 kernel of two channels, large on the diagonal of the own pixel. */
  const tensorOfTaps = () => {
    const weight = real([2, 18], 0.2);
    const values = weight.dataSync();
    for (const o of [0, 1]) values[o * 18 + 4 * 2 + o] = 1.5;
    weight.write(values);
    return weight;
  };
  const made = (residual: boolean) => () => {
    const layer = (units: number, inputs: number, extents: Tensor) =>
      [real([units, inputs], 0.5 / Math.sqrt(inputs)), real([units], 0.3), extents] as const;
    // Sorted degrees 0 … d − 1 for the hidden units; unit of degree g sees the units of degrees up to g.
    const degree = (unit: number) => Math.floor((unit * d) / u);
    const upTo = (g: number) =>
      Array.from({ length: u }, (_, k) => +(degree(k) <= g)).reduce((a, b) => a + b, 0);
    const hidden = () => layer(u, u, int32(Array.from({ length: u }, (_, k) => upTo(degree(k)))));
    return [
      real([n, d]),
      real([n, u], 0.3),
      real([2 * d, d], 0.3 / Math.sqrt(d)),
      ...layer(u, d, int32(Array.from({ length: u }, (_, k) => degree(k)))),
      ...hidden(),
      ...(residual ? hidden() : []),
      ...layer(2 * d, u, int32(Array.from({ length: 2 * d }, (_, r) => upTo(r >> 1)))),
    ];
  };
  add('made_inverse', made(false), () => [out(n, d), out64(n)], 1, 0, 1, 1.3, 0);
  add('made_inverse', made(true), () => [out(n, d), out64(n)], 2, 0, 0, 1, 1);
  // The values of the hidden layers need not be those of x: the loops are compared, not the network.
  const madeGradient = (residual: boolean) => () => {
    const [, , direct, ...layers] = made(residual)();
    const hidden = residual ? 3 : 2;
    const operands = layers.map((tensor, k) => (k % 3 === 1 ? null : (tensor as Tensor)));
    const values = Array.from({ length: hidden }, () => real([n, u], 0.4));
    return [x(), real([n, 2 * d]), x(), f64([n]), direct as Tensor, ...operands, ...values];
  };
  const madeOutputs = (hidden: number) => () => [
    out(n, d),
    out(n, 2 * d),
    ...Array.from({ length: hidden }, () => out(n, u)),
  ];
  add('made_inverse_grad', madeGradient(false), madeOutputs(2), 1, 0, 1, 1.3, 0);
  add('made_inverse_grad', madeGradient(true), madeOutputs(3), 2, 0, 0, 1, 1);
  add(
    'residual_series',
    () => [x(), f64([1, 3]), real([5, d], 0.5), null, real([d, 5], 0.5), real([n, 5])],
    () => [out(n, d), out64(n)],
    ...[1, 0, 0],
  );
  add(
    'wavefront_solve',
    () => [real([6 * n, 2]), tensorOfTaps()],
    () => [out(6 * n, 2)],
    ...[2, 1, 1, 0, 2, 3, 9, 0, 0, 0, -1, -1, 1, -1, 0, 3, 0, -1, 4, 0, 0],
  );
}
