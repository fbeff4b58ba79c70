/** Weights that modules derive from their parameters: made together inside of a call of a model, alone outside of it, never stale. */
import { afterEach, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Chain, Invert, LuLinear, TriangularLinear } from '../../lib/bijections';
import {
  type ActivationMemory,
  Activations,
  withActivations,
} from '../../lib/bijections/activations';
import { StandardNormal } from '../../lib/distributions';
import { Flow, glow, realnvpImage } from '../../lib/flows';
import { native } from '../../lib/native';
import { Module, SingleConv } from '../../lib/nn';
import { add, mean, square, sum } from '../../lib/ops';
import { setListener } from '../../lib/tensor/execute';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { randomize } from '../bijections/cases';
import { expectClose, fixture } from '../reference/close';

afterEach(() => setListener(null));

/** How often each op runs in `body`. */
function counted(body: () => unknown): Record<string, number> {
  const found: Record<string, number> = {};
  setListener((instruction) => {
    const name = native.ops[instruction[0] as number] as string;
    found[name] = (found[name] ?? 0) + 1;
  });
  scope(() => void body());
  setListener(null);
  return found;
}

const image = { height: 8, width: 8, channels: 1 };
const small = { image, hidden: 3, preprocessing: null, dtype: 'float64', seed: 1 } as const;

/** Three scales of four transforms, of 4, 8 and 16 channels; the couplings' networks have actnorms and scales. */
function smallGlow(transforms = 4): Flow {
  const flow = glow({ ...small, scales: 3, transforms });
  randomize(flow, 7, 0.1);
  return flow;
}
const rows = (count = 2, cols = 64) => tensorOfArray(fixture(11)(count * cols), [count, cols]);

const arrays = (tensors: readonly (Tensor | null)[]) =>
  tensors.map((tensor) => (tensor ? [...tensor.dataSync()] : null));

const linear = (seed: number) => new LuLinear({ channels: 4, seed, dtype: 'float64' });
const flowOf = (...links: (LuLinear | TriangularLinear | Invert)[]) =>
  new Flow({
    base: new StandardNormal(4, 'float64'),
    bijection: new Chain(links),
  });

/** log p by the parts of a flow, outside of its calls: each module derives its own. */
function byParts(flow: Flow, x: Tensor): Tensor {
  const { y, logDet } = flow.bijection.forward(x);
  return add(flow.base.logProb(y), logDet);
}

describe('a Glow of three scales of four transforms', () => {
  it.each(['taped', 'invertible', 'checkpoints'] as const)(
    'composes all its matrices once a step, and scales its weights once: %s',
    (kept: ActivationMemory) => {
      const flow = smallGlow();
      const x = rows();
      const step = (logProb: (x: Tensor) => Tensor) =>
        scope(() => {
          const plan = new Activations(kept);
          const { value, gradients } = valueAndGradient(
            () => withActivations(plan, () => mean(logProb(x))),
            flow.parameters(),
          );
          for (const drift of plan.drifts) drift.dispose();
          return { loss: value.item(), gradients: arrays(gradients) };
        });
      const found = counted(() => step((batch) => flow.logProbOfRows(batch, null, 'model')));
      expect(found).toMatchObject({
        ...{ lu_compose: 1, lu_compose_grad: 1 },
        ...{ scale_weights: 1, scale_weights_grad: 1 },
      });
      // The inverses that rebuild activations, scale by scale.
      expect(found['lu_inverse']).toBe(kept === 'invertible' ? 3 : undefined);
      expect(found['lu_solve']).toBeUndefined();
      const alone = counted(() => step((batch) => byParts(flow, batch)));
      expect(alone['lu_compose']).toBeGreaterThanOrEqual(12);
      // What is made together is what is made alone.
      const together = step((batch) => flow.logProbOfRows(batch, null, 'model'));
      const apart = step((batch) => byParts(flow, batch));
      expect(together.loss).toBeCloseTo(apart.loss, 12);
      together.gradients.forEach((gradient, k) => {
        expectClose(gradient ?? [], apart.gradients[k] ?? [], 1e5, `gradient ${k}`);
      });
      x.dispose();
      flow.dispose();
    },
  );

  it('inverts them once for samples, and composes them once for all chunks of a long list', () => {
    const flow = smallGlow();
    expect(counted(() => flow.sample(3, { seed: 1 }))).toMatchObject({
      ...{ lu_inverse: 1, scale_weights: 1 },
    });
    flow.dispose();
    const chunked = flowOf(linear(1), linear(2));
    const x = rows(4100, 4);
    expect(counted(() => chunked.logProb(x))).toMatchObject({ lu_compose: 1, linear: 4 });
    x.dispose();
    chunked.dispose();
  });
});

it('nothing is stale: weights that change between calls and between the steps of a program', async () => {
  const train = async (compile: boolean) => {
    const flow = smallGlow(1);
    const x = rows(6);
    const losses: number[] = [];
    const before = scope(() => [...flow.logProb(x).dataSync()]);
    const data = { data: Float64Array.from(x.dataSync()), rows: 6, cols: 64 };
    await fit(flow, data, {
      ...{ batchSize: 6, steps: 4, seed: 1, optimizer: adam({ lr: 1e-2 }), compile },
      onStep: ({ loss }) => void losses.push(loss),
    });
    const after = scope(() => [...flow.logProb(x).dataSync()]);
    expect(after).not.toEqual(before);
    expectClose(
      after,
      scope(() => [...byParts(flow, x).dataSync()]),
      1e4,
      'log p by parts',
    );
    x.dispose();
    flow.dispose();
    return losses;
  };
  expect(await train(true)).toEqual(await train(false));
});

describe('tapes', () => {
  it('what is not trained is kept apart', () => {
    const [frozen, trained] = [linear(1), linear(2)];
    const flow = flowOf(frozen, trained);
    const x = rows(3, 4);
    const by = trained.parameters();
    let gradients: (Tensor | null)[] = [];
    const logProb = () => sum(flow.logProbOfRows(x, null, 'model'));
    const found = counted(() => {
      ({ gradients } = valueAndGradient(logProb, by));
      expect(gradients.every((gradient) => gradient !== null)).toBe(true);
    });
    expect(found).toMatchObject({ lu_compose: 2, lu_compose_grad: 1 });
    x.dispose();
    flow.dispose();
  });

  it('a tape inside of a call that watches the parameters themselves sees that they are used', () => {
    const [outer, inner] = [linear(1), linear(2)];
    class Penalized extends Module {
      readonly flow = this.child('flow', flowOf(outer, inner));
      config() {
        return { kind: 'penalized' };
      }
      /** log p, and the gradient of something of its own by parameters, in one call. */
      run(x: Tensor): { logProb: Tensor; gradient: Tensor | null } {
        return this.here(() => {
          const logProb = this.flow.logProbOfRows(x, null, 'model');
          const { gradients } = valueAndGradient(
            () => sum(square(inner.forward(x).y)),
            [inner.factors],
          );
          return { logProb, gradient: gradients[0] ?? null };
        });
      }
    }
    const model = new Penalized();
    const x = rows(3, 4);
    scope(() => {
      const { gradient } = model.run(x);
      const { gradients } = valueAndGradient(
        () => sum(square(inner.forward(x).y)),
        [inner.factors],
      );
      expect(gradient).not.toBeNull();
      expect([...gradient!.dataSync()]).toEqual([...gradients[0]!.dataSync()]);
    });
    x.dispose();
    model.dispose();
  });

  it('a model inside of a model: the outer call makes what both need', () => {
    const [outer, inner] = [linear(1), new TriangularLinear({ channels: 4, dtype: 'float64' })];
    randomize(inner, 3, 0.3);
    const flow = flowOf(inner);
    class Twice extends Module {
      readonly first = this.child('first', flowOf(outer));
      readonly second = this.child('second', flow);
      config() {
        return { kind: 'twice' };
      }
      run(x: Tensor): Tensor {
        return this.here(() =>
          add(
            this.first.logProbOfRows(x, null, 'model'),
            this.second.logProbOfRows(x, null, 'model'),
          ),
        );
      }
    }
    const model = new Twice();
    const x = rows(3, 4);
    expect(counted(() => model.run(x))['lu_compose']).toBe(1);
    expect(counted(() => [model.first.logProb(x), flow.logProb(x)])['lu_compose']).toBe(2);
    x.dispose();
    model.dispose();
  });

  it('a call that fails leaves nothing behind', () => {
    const flow = flowOf(linear(1), new Invert(linear(2)));
    const x = rows(3, 4);
    const before = native.memory()[0];
    class Failing extends Module {
      readonly flow = this.child('flow', flow);
      config() {
        return { kind: 'failing' };
      }
      run(): void {
        this.here(() => {
          flow.logProb(x);
          throw new Error('in the middle');
        });
      }
    }
    expect(() => new Failing().run()).toThrow('in the middle');
    expect(native.memory()[0]).toBe(before);
    scope(() => {
      const values = [...flow.logProb(x).dataSync()];
      expectClose(values, [...byParts(flow, x).dataSync()], 64, 'the next call');
    });
    expect(native.memory()[0]).toBe(before);
    x.dispose();
    flow.dispose();
  });
});

it('scaled weights have gradients of gradients, together as alone', () => {
  const conv = new SingleConv({
    ...{ image: { height: 2, width: 2 }, inputs: 1, outputs: 2 },
    dtype: 'float64',
  });
  randomize(conv, 5, 0.4);
  class Model extends Module {
    readonly conv = this.child('conv', conv);
    config() {
      return { kind: 'model' };
    }
    run(x: Tensor): Tensor {
      return this.here(() => conv.apply(x));
    }
  }
  const model = new Model();
  const x = rows(8, 1);
  const second = (run: (x: Tensor) => Tensor) =>
    scope(() => {
      const by = conv.parameters();
      const { gradients } = valueAndGradient(() => {
        const inner = valueAndGradient(() => sum(square(run(x))), by);
        return inner.gradients
          .map((gradient) => sum(square(gradient as Tensor)))
          .reduce((total, part) => add(total, part));
      }, by);
      return arrays(gradients).map((gradient) => gradient ?? []);
    });
  const [together, apart] = [second((batch) => model.run(batch)), second((x) => conv.apply(x))];
  expect(together.flat().some((value) => Math.abs(value) > 1e-3)).toBe(true);
  together.forEach((gradient, k) => {
    expectClose(gradient, apart[k] as number[], 1e3, `gradient ${k}`);
  });
  x.dispose();
  model.dispose();
});

it('a RealNVP of images normalizes the weights of all its networks in one instruction', () => {
  const flow = realnvpImage({ ...small, image: { ...image, height: 4, width: 4 }, blocks: 1 });
  const x = rows(2, 16);
  const found = counted(() =>
    valueAndGradient(() => mean(flow.logProbOfRows(x, null, 'model')), flow.parameters()),
  );
  expect(found).toMatchObject({ scale_weights: 1, scale_weights_grad: 1 });
  x.dispose();
  flow.dispose();
});
