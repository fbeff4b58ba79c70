/**
 * The gradient of an inverse that was found by iteration, by the implicit function theorem. With F(x; θ) = y, J = ∂F/∂x and
 * L = log|det J|, the inverse gives x and −L; of the gradients dx and dl by these
 *
 *     x̄ = dx − dl·∂L/∂x,   Jᵀ v = x̄,   dy = v,   dθ = −(∂F/∂θ)ᵀ v − dl·∂L/∂θ.
 *
 * J is triangular in some order of the dimensions. So v ← v + (x̄ − Jᵀ v)/diag J is exact after D steps, each of which is one
 * backward pass of F.
 */
import { pullback } from '../autograd/gradient';
import { isTracked, record } from '../autograd/tape';
import { add, div, neg, sub } from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Forward, Inverse } from './bijection';

export interface TriangularMap {
  readonly name: string;
  readonly parameters: readonly Tensor[];
  forward(x: Tensor, context: Tensor | null): Forward;
  /** ∂F_i/∂x_i [N, D]. Not differentiated. */
  slopes(x: Tensor, context: Tensor | null): Tensor;
}

/** Puts the inverse on the tape. @param found x and logDet, made without a tape */
export function recordImplicit(
  map: TriangularMap,
  y: Tensor,
  context: Tensor | null,
  found: Inverse,
): void {
  const inputs = [y, context, ...map.parameters];
  if (!isTracked(inputs)) return;
  const saved = [found.x, ...(context ? [context] : [])];
  record(map.name, inputs, [found.x, found.logDet], saved, (kept, [dx, dLogDet]) =>
    scope(() => {
      refuseSecondGradient(map.name, [...inputs, dx ?? null, dLogDet ?? null]);
      const root = kept[0] as Tensor;
      const condition = context ? (kept[1] as Tensor) : null;
      const dl = dLogDet ? neg(dLogDet) : null;
      const pull = (dy: Tensor | null, by: readonly Tensor[]) =>
        pullback(
          (watch) => {
            const x = root.view(root.shape, root.offset, root.rowStride);
            for (const leaf of [x, ...by]) watch(leaf);
            const step = map.forward(x, condition);
            return { outputs: [step.y, step.logDet], by: [x, ...by] };
          },
          [dy, dy && by.length === 0 ? null : dl],
        ).gradients;
      const direct = dl ? (pull(null, [])[0] ?? null) : null;
      const target = dx && direct ? add(dx, direct) : (dx ?? direct);
      if (!target) return inputs.map(() => null);
      const slopes = map.slopes(root, condition);
      let v = div(target, slopes);
      for (let step = 1; step < root.cols; step++) {
        const before = v;
        v = scope(() => {
          const image = pull(before, [])[0];
          return image ? add(before, div(sub(target, image), slopes)) : before;
        });
        if (v !== before) before.dispose();
      }
      const leaves = [...(condition ? [condition] : []), ...map.parameters];
      const [, ...gradients] = pull(neg(v), leaves);
      const dContext = condition ? (gradients.shift() ?? null) : null;
      return [v, dContext, ...gradients];
    }),
  );
}
