/**
 * Bijections one after another as one entry of the tape, whose backward pass goes through them from the last to the
 * first and holds the activations of one of them at a time.
 */
import { pullback } from '../autograd/gradient';
import { isTracked, record, withoutTape } from '../autograd/tape';
import { type Derived, trackedDerived, withMade } from '../nn/derived';
import { add, affineScalar, cast, div, sqrt, square, sub, sum } from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { activations } from './activations';
import type { Bijection, Forward } from './bijection';
import { solved } from './solve';
import { forwardThrough } from './through';

/** ‖rebuilt − x‖/‖x‖, float64 []. */
function relativeError(rebuilt: Tensor, x: Tensor): Tensor {
  return scope(() => {
    const norm = (of: Tensor) => sqrt(sum(square(cast(of, 'float64'))));
    return div(norm(sub(rebuilt, x)), affineScalar(norm(x), 1, Number.MIN_VALUE));
  });
}

/**
 * The forward pass of some bijections of which backward keeps the output only (or, with 'checkpoints', each input).
 *
 * @param bijections at least one; all of them rebuildable
 * @param x [N, D]
 */
export function rebuildableForward(
  bijections: readonly Bijection[],
  x: Tensor,
  context: Tensor | null,
): Forward {
  const kept = activations();
  const parameters = bijections.map((bijection) => bijection.parameters());
  if (!isTracked([x, context, ...parameters.flat()])) return forwardThrough(bijections, x, context);

  return scope(() => {
    const inputs: Tensor[] = [];
    const rebuilds = kept.memory === 'invertible';
    const { y, logDet, solve } = withoutTape(() =>
      forwardThrough(bijections, x, context, (input) => {
        if (!rebuilds || inputs.length === 0) inputs.push(input.alias());
      }),
    );
    // What was made of the parameters, for all bijections together, is a leaf here: its own gradient comes at the end of the step.
    const derived = bijections.map((bijection) => bijection.derived());
    const made = trackedDerived(derived.flat());
    const leaves = bijections.map((_, k) => [
      ...(parameters[k] as Tensor[]),
      ...(derived[k] as Derived[]).flatMap((one) => made.get(one) ?? []),
    ]);
    const tracked = [x, context, ...leaves.flat()];
    const madeTensors = [...made.values()].flat();
    const saved = [y, ...inputs, ...madeTensors, ...(context ? [context] : [])];
    const firstMade = 1 + inputs.length;
    record('rebuilt', tracked, [y, logDet], saved, (alive, [dy, dLogDet], needs) =>
      scope(() => {
        refuseSecondGradient('rebuilt', [...tracked, dy ?? null, dLogDet ?? null]);
        const gradients: (Tensor | null)[] = tracked.map(() => null);
        const collect = (at: number, d: Tensor | null | undefined) => {
          const before = gradients[at];
          if (d && needs[at]) gradients[at] = before ? add(before, d) : d;
        };
        const itsContext = context ? (alive.at(-1) as Tensor) : null;
        let next = firstMade;
        const again = new Map(
          [...made].map(([one, tensors]) => [one, tensors.map(() => alive[next++] as Tensor)]),
        );
        let output = alive[0] as Tensor;
        let dOutput = dy ?? null;
        let at = tracked.length;
        withMade(derived.flat(), again, () => {
          for (let k = bijections.length - 1; k >= 0; k--) {
            const bijection = bijections[k] as Bijection;
            const own = [
              ...(parameters[k] as Tensor[]),
              ...(derived[k] as Derived[]).flatMap((one) => again.get(one) ?? []),
            ];
            const below = bijection.contextFeatures > 0 ? itsContext : null;
            const [from, dFrom] = [output, dOutput];
            const { by, gradients: found } = pullback(
              (watch) => {
                for (const leaf of [...own, below]) if (leaf) watch(leaf);
                const step = rebuilds
                  ? bijection.rebuild(from, below, watch)
                  : forwardAgain(bijection, alive[1 + k] as Tensor, below, watch);
                return {
                  outputs: [step.y, step.logDet],
                  by: [step.x, ...own, ...(below ? [below] : [])],
                };
              },
              [dFrom, dLogDet ?? null],
            );
            at -= own.length;
            for (let i = 0; i < own.length; i++) collect(at + i, found[1 + i]);
            if (below) collect(1, found.at(-1));
            output = by[0] as Tensor;
            dOutput = found[0] ?? null;
            if (k < bijections.length - 1) {
              from.dispose();
              dFrom?.dispose();
            }
          }
        });
        collect(0, dOutput);
        if (rebuilds) kept.drifts.push(relativeError(output, alive[1] as Tensor).alias());
        return gradients;
      }),
    );
    for (const input of inputs) input.dispose();
    return { y, logDet, ...solved(solve) };
  });
}

/** The forward pass on a kept input. */
function forwardAgain(
  bijection: Bijection,
  input: Tensor,
  context: Tensor | null,
  watch: (leaf: Tensor) => void,
): Forward & { x: Tensor } {
  const x = input.view(input.shape, input.offset, input.rowStride);
  watch(x);
  return { x, ...bijection.forward(x, context) };
}
