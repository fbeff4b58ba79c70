/** WaveNet: its stack of layers, and sequences made by it. */
import type { Operands } from './operands';

export function sequences({ add, n, d, u, some, out, levels, uniform }: Operands): void {
  // Three layers of R = d, G = u, S = 4 on sequences of n samples; dilations within and beyond them.
  const [length, skips] = [n, 4];
  for (const condition of [0, 3]) {
    const dilations = [1, 2, n + 1];
    const outputs = [skips + d, skips + d, skips];
    const weight = () => some([2 * u, 2 * d + condition], 1 / Math.sqrt(2 * d));
    const outputWeight = (l: number) => some([outputs[l]!, u], 1 / Math.sqrt(u));
    const rows = 2 * length;
    const given = () => (condition > 0 ? some([rows, condition]) : null);
    for (const keeps of [true, false]) {
      add(
        'wave_stack',
        () => [
          some([rows, d]),
          given(),
          ...outputs.flatMap((o, l) => [weight(), some([2 * u]), outputWeight(l), some([o])]),
        ],
        () => [
          out(rows, skips),
          ...outputs.map(() => (keeps ? out(rows, 2 * u) : null)),
          ...outputs.slice(1).map(() => (keeps ? out(rows, d) : null)),
        ],
        ...[length, ...dilations],
      );
      add(
        'wave_stack_grad',
        () => [
          some([rows, skips]),
          some([rows, d]),
          given(),
          ...outputs.flatMap((_, l) => [
            weight(),
            outputWeight(l),
            some([rows, 2 * u], 0.4),
            l === 0 ? null : some([rows, d]),
          ]),
        ],
        () => [
          keeps ? out(rows, d) : null,
          keeps && condition > 0 ? out(rows, condition) : null,
          ...outputs.flatMap((o, l) =>
            keeps || l === 1
              ? [out(2 * u, 2 * d + condition), out(2 * u), out(o, u), out(o)]
              : [null, null, null, null],
          ),
        ],
        ...[length, ...dilations],
      );
    }
  }

  for (const [kind, out1] of [u, 6, 2, 2].entries()) {
    const [length, skips, dilations] = [6, 4, [1, 3]];
    const noise = () => (kind < 2 ? uniform([n, length * (kind + 1)]) : some([n, length]));
    add(
      'wave_generate',
      () => [
        ...[noise(), kind === 2 ? some([n * length, 2]) : null],
        ...(kind === 0 ? [some([u + 1, d]), null] : [some([d, 1]), some([d])]),
        ...[some([5, skips]), some([5]), some([out1, 5], 0.3), some([out1])],
        kind === 0 ? levels([n, 2], u) : null,
        ...dilations.flatMap((_, l) => [
          some([2 * u, 2 * d + (kind === 2 ? 2 : 0)], 1 / Math.sqrt(2 * d)),
          some([2 * u]),
          some([l === 0 ? skips + d : skips, u], 1 / Math.sqrt(u)),
          some([l === 0 ? skips + d : skips]),
        ]),
      ],
      () => [out(n, length)],
      ...[kind, u, -1, length, ...dilations],
    );
  }
}
