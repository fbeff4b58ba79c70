/** Convolutions, stacks of them, LSTMs over images. */
import type { OutputSpec } from '../../../lib/tensor/execute';
import type { Operands } from './operands';

export function images({ add, n, d, u, real, some, positive, out }: Operands): void {
  // Images of 2 × 3 pixels; the kernel 3 × 3 with two dead taps, dilated along its rows.
  const taps = [0, 1, 2, 4, 5, 7, 8].flatMap((place) => [
    place,
    Math.floor(place / 3) - 1,
    2 * ((place % 3) - 1),
  ]);
  const pixels = 6 * n;
  for (const [inputs, outputs] of [
    [d, u],
    [u, Math.ceil(d / 3)],
  ] as const) {
    const kernel = () => real([outputs, 9 * inputs], 1 / Math.sqrt(9 * inputs));
    for (let activation = 0; activation < 8; activation++) {
      const attributes = [2, 3, 9, activation, 0.2, ...taps];
      add(
        'conv2d',
        () => [
          real([pixels, inputs]),
          kernel(),
          real([outputs]),
          activation % 2 === 0 ? real([pixels, outputs]) : null,
        ],
        () => [out(pixels, outputs)],
        ...attributes,
      );
      if (activation === 7) continue;
      add(
        'conv2d_grad_input',
        () => [
          real([pixels, outputs]),
          kernel(),
          activation > 0 ? real([pixels, inputs], 0.4) : null,
        ],
        () => [out(pixels, inputs)],
        ...attributes,
      );
    }
    add(
      'conv2d_grad_weight',
      () => [real([pixels, outputs]), real([pixels, inputs])],
      () => [out(outputs, 9 * inputs)],
      ...[2, 3, 9, 0, 0, ...taps],
    );
  }

  // Two layers on these images: the kernel above, and one of a single tap.
  const hidden = d + 1;
  for (const [first, second] of [
    [1, 0],
    [2, 6],
    [4, 3],
  ] as const) {
    const attributes = [2, 7, 2, 3, 9, first, 0.2, ...taps, 1, 2, 3, 1, second, 0, 0, 0, 0];
    const weights = () => [some([hidden, 9 * d], 0.3), some([u, hidden], 0.3)] as const;
    add(
      'conv_stack',
      () => {
        const [one, two] = weights();
        return [some([pixels, d]), some([pixels, hidden]), one, some([hidden]), two, null];
      },
      () => [out(pixels, hidden), out(pixels, u)],
      ...attributes,
    );
    for (const all of [true, false]) {
      const wanted = (spec: OutputSpec) => (all ? spec : null);
      add(
        'conv_stack_grad',
        () => {
          const [one, two] = weights();
          const between = some([pixels, hidden], 0.4);
          return [some([pixels, u]), some([pixels, d]), one, between, two, some([pixels, u], 0.4)];
        },
        () => [
          ...[wanted(out(pixels, d)), wanted(out(pixels, hidden))],
          ...[wanted(out(hidden, 9 * d)), wanted(out(hidden))],
          ...[out(u, hidden), wanted(out(u))],
        ],
        ...attributes,
      );
    }
  }
  // LSTMs of 3 states over one image of 2n × d pixels; backwards over n of 2 × d.
  for (const direction of [0, 1, 2]) {
    const taps = direction === 0 ? 3 : 2;
    const map = (channels: number) => [2 * n * d, channels];
    add(
      'spatial_lstm',
      () => [real(map(12)), real([12, 3 * taps], 0.5)],
      () => [out(2 * n * d, 3), out(2 * n * d, 12), out(2 * n * d, 3)],
      ...[2 * n, d, direction],
    );
    add(
      'spatial_lstm_grad',
      () => [real(map(3)), real([12, 3 * taps], 0.5), positive(map(12)), real(map(3))],
      () => [out(2 * n * d, 12)],
      ...[2, d, direction],
    );
  }
}
