/** A transformer that is made of ops and has no inverse in closed form: roots by iteration, gradients by the implicit function theorem. */
import { pullback } from '../autograd/gradient';
import { isTracked, record } from '../autograd/tape';
import { add, div, full, neg, sum } from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Forward, Inverse } from './bijection';
import { type Bracket, type Evaluated, solveIncreasing } from './solveIncreasing';
import { Transformer } from './transformer';

export abstract class IterativeTransformer extends Transformer {
  /** f(x_i; p_i) and log f′(x_i; p_i), [N, D] each. */
  protected abstract evaluate(x: Tensor, params: Tensor): Evaluated;

  /** Where the roots of f(x) = y are. */
  protected abstract bracket(y: Tensor, params: Tensor): Bracket;

  override forward(x: Tensor, params: Tensor): Forward {
    return scope(() => {
      const { y, logSlope } = this.evaluate(x, params);
      return { y, logDet: sum(logSlope, -1, { dtype: 'float64' }) };
    });
  }

  override inverse(y: Tensor, params: Tensor): Inverse {
    return scope(() => {
      const f = (x: Tensor) => scope(() => this.evaluate(x, params));
      const { x, logSlope, solve } = solveIncreasing(f, y, this.bracket(y, params));
      const found = { x, logDet: neg(sum(logSlope, -1, { dtype: 'float64' })) };
      this.#record(y, params, found);
      return { ...found, solve };
    });
  }

  /** dy = λ/f′, dp = −(∂f/∂p)·dy − dl·∂log f′/∂p with λ = dx − dl·∂log f′/∂x: docs/maths.md, section 3.2. */
  #record(y: Tensor, params: Tensor, { x, logDet }: Inverse): void {
    const own = this.parameters();
    const inputs = [y, params, ...own];
    if (!isTracked(inputs)) return;
    record('transformerInverse', inputs, [x, logDet], [x, params], (kept, [dx, dLogDet]) =>
      scope(() => {
        refuseSecondGradient('transformerInverse', [...inputs, dx ?? null, dLogDet ?? null]);
        const [root, given] = kept as [Tensor, Tensor];
        const dl = dLogDet ? neg(dLogDet) : null;
        const pull = (dy: Tensor | null, dLogSlopes: Tensor | null, by: readonly Tensor[]) =>
          this.pullBack(root, given, dy, dLogSlopes, by);
        const slope = pull(full(root.shape, 1, root.dtype), null, [])[0] as Tensor;
        const direct = dl ? (pull(null, dl, [])[0] ?? null) : null;
        const total = dx && direct ? add(dx, direct) : (dx ?? direct);
        if (!total) return inputs.map(() => null);
        const dy = div(total, slope);
        const [, ...gradients] = pull(neg(dy), dl, own);
        return [dy, ...gradients];
      }),
    );
  }

  /** The gradients of ⟨dy, f⟩ + ⟨dLogSlopes, log f′⟩ by x, the parameters, and those of its own. */
  protected pullBack(
    x: Tensor,
    params: Tensor,
    dy: Tensor | null,
    dLogSlopes: Tensor | null,
    own: readonly Tensor[],
  ): (Tensor | null)[] {
    return pullback(
      (watch) => {
        const [at, p] = [x, params].map((t) => t.view(t.shape, t.offset, t.rowStride));
        const by = [at as Tensor, p as Tensor, ...own];
        for (const leaf of by) watch(leaf);
        const step = this.forward(at as Tensor, p as Tensor);
        return { outputs: [step.y, step.logDet], by };
      },
      [dy, dLogSlopes],
    ).gradients;
  }
}
