import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native';
import {
  adam,
  adamState,
  checkFinite,
  clip,
  ema,
  gradNorm,
  makeAdamState,
  makeSgdState,
  sgd,
} from '../../lib/ops';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose, fixture } from '../reference/close';
import { type GoldenTensor, goldenCases, values } from '../reference/goldens';
import { globalNorm } from '../reference/optim';
import { sum } from '../reference/reduce';

const zerosLike = (t: Tensor) => tensorOfArray(new Float64Array(t.size), t.shape);
const tensorOf = (t: GoldenTensor | undefined) => tensorOfArray(values(t), t?.shape ?? []);
const scalar = (v: number) => tensorOfArray(Float64Array.of(v), [1]);

describe('adam', () => {
  it.each(goldenCases('optim').map((c) => [c.name, c] as const))(
    '%s: the trajectory of PyTorch',
    (_, golden) => {
      const names = Object.keys(golden.initial);
      const parameters = names.map((name) => tensorOf(golden.initial[name]));
      const firstMoments = parameters.map(zerosLike);
      const secondMoments = parameters.map(zerosLike);
      const maxNorm = golden.clipNorm ?? Number.POSITIVE_INFINITY;
      const { type: _type, ...settings } = golden.optimizer;
      const state = makeAdamState({ ...settings, maxNorm });
      for (const [step, tensors] of golden.gradients.entries()) {
        const gradients = names.map((name) => tensorOf(tensors[name]));
        const norm = golden.clipNorm === null ? null : gradNorm(gradients);
        if (norm) expectClose([norm.item()], [golden.norms[step] ?? 0], 8, 'norm');
        const decoupled = golden.optimizer.type === 'adamw';
        adam({ state, parameters, gradients, firstMoments, secondMoments, norm, decoupled });
        names.forEach((name, k) => {
          const expected = values(golden.params[step]?.[name]);
          expectClose(parameters[k]?.dataSync() ?? [], expected, 16, `${step}.${name}`);
        });
      }
      expect(state.dataSync()[adamState.step]).toBe(golden.gradients.length);
    },
  );

  it('float32 follows float64, in many chunks, with 1 and 3 threads bit for bit', () => {
    const sizes = [[300, 177], [5], [1], [70_001]];
    const run = (kind: 'float32' | 'float64', threads: number) => {
      native.setThreads(threads);
      const next = fixture(4);
      const make = (shape: readonly number[], scale: number) => {
        const data = Float32Array.from(
          next(
            shape.reduce((a, b) => a * b, 1),
            scale,
          ),
        );
        return tensorOfArray(kind === 'float32' ? data : Float64Array.from(data), shape);
      };
      const parameters = sizes.map((shape) => make(shape, 1));
      const zeros = () =>
        parameters.map((p) =>
          tensorOfArray(
            kind === 'float32' ? new Float32Array(p.size) : new Float64Array(p.size),
            p.shape,
          ),
        );
      const [firstMoments, secondMoments] = [zeros(), zeros()];
      const state = makeAdamState({ lr: 0.01, weightDecay: 0.1 });
      for (let step = 0; step < 3; step++) {
        const gradients = sizes.map((shape) => make(shape, 0.1));
        adam({ state, parameters, gradients, firstMoments, secondMoments });
      }
      return parameters.map((p) => p.dataSync());
    };
    const before = native.threads();
    try {
      const single = run('float32', 1);
      expect(run('float32', 3)).toEqual(single);
      const double = run('float64', 2);
      // Parameters of size 1 to 2, rounded once a step; a step of 0.01 with a relative error of some eps beside it.
      single.forEach((p, i) => {
        p.forEach((v, k) => {
          expect(Math.abs(v - (double[i]?.[k] ?? 0))).toBeLessThan(6 * 2 ** -23);
        });
      });
    } finally {
      native.setThreads(before);
    }
  });

  it('with extents updates the staircase and nothing behind it', () => {
    const next = fixture(9);
    const [rows, cols] = [40, 700];
    const extents = Int32Array.from({ length: rows }, (_, r) => (r * 97) % (cols + 1));
    const seen = tensorOfArray(extents, [rows]);
    const start = next(rows * cols);
    const gradient = tensorOfArray(next(rows * cols), [rows, cols]);
    const run = (masks: (Tensor | null)[] | undefined) => {
      const p = tensorOfArray(start.slice(), [rows, cols]);
      const rest = { firstMoments: [zerosLike(p)], secondMoments: [zerosLike(p)] };
      const operands = { parameters: [p], gradients: [gradient], ...rest };
      adam({ state: makeAdamState({ lr: 0.1 }), ...operands, ...(masks && { extents: masks }) });
      return p.dataSync();
    };
    const whole = run(undefined);
    const masked = run([seen]);
    for (let i = 0; i < start.length; i++) {
      const inside = i % cols < (extents[Math.floor(i / cols)] ?? 0);
      expect(masked[i]).toBe(inside ? whole[i] : start[i]);
    }
    expect(whole).not.toEqual(masked);
  });

  it('leaves a parameter without a gradient alone, and names lists and shapes that do not fit', () => {
    const make = () => tensorOfArray(Float64Array.of(1, 2, 3), [3]);
    const [p, q] = [make(), make()];
    const rest = {
      firstMoments: [zerosLike(p), zerosLike(q)],
      secondMoments: [zerosLike(p), zerosLike(q)],
    };
    const state = makeAdamState({ lr: 0.5 });
    adam({ state, parameters: [p, q], gradients: [null, make()], ...rest });
    expect([...p.dataSync()]).toEqual([1, 2, 3]);
    // The first step of Adam has the length lr.
    expectClose(q.dataSync(), [0.5, 1.5, 2.5], 1e8, 'q');
    expect(() => adam({ state, parameters: [p, q], gradients: [null], ...rest })).toThrow(
      /\[adam\] gradients: expected 2 entries, one a parameter, got 1/,
    );
    const wrong = tensorOfArray(new Float64Array(4), [4]);
    expect(() => adam({ state, parameters: [p, q], gradients: [null, wrong], ...rest })).toThrow(
      /\[adam\] gradients\[1\]: expected 1 × 3, got 1 × 4/,
    );
    expect(() => makeAdamState({ lr: -1 })).toThrow(/\[adam\] lr/);
  });
});

describe('sgd, ema, norms', () => {
  it.each([false, true])('sgd with momentum, nesterov %s, against the formula', (nesterov) => {
    const next = fixture(6);
    const start = next(21);
    const p = tensorOfArray(start.slice(), [3, 7]);
    const buffer = zerosLike(p);
    const [lr, momentum, decay] = [0.1, 0.9, 0.01];
    const state = makeSgdState({ lr, momentum, weightDecay: decay });
    const expected = start.slice();
    const b = new Float64Array(21);
    for (let step = 0; step < 5; step++) {
      const g = next(21);
      sgd({
        state,
        parameters: [p],
        gradients: [tensorOfArray(g, [3, 7])],
        buffers: [buffer],
        nesterov,
      });
      for (let i = 0; i < 21; i++) {
        const full = (g[i] ?? 0) + decay * (expected[i] ?? 0);
        b[i] = momentum * (b[i] ?? 0) + full;
        expected[i]! -= lr * (nesterov ? full + momentum * b[i]! : b[i]!);
      }
    }
    expectClose(p.dataSync(), expected, 32, 'p');
  });

  it('ema moves the shadows towards the values', () => {
    const next = fixture(2);
    const [value, shadow] = [next(9), next(9)];
    const t = tensorOfArray(shadow.slice(), [9]);
    ema(scalar(0.75), [tensorOfArray(value, [9])], [t]);
    const expected = shadow.map((s, i) => 0.75 * s + 0.25 * (value[i] ?? 0));
    expectClose(t.dataSync(), expected, 4, 'shadow');
  });

  it('gradNorm and clip of a list, float32 summed in float64', () => {
    const next = fixture(13);
    const parts = [next(40_000), next(1), next(777)].map((v) => Float32Array.from(v));
    const tensors = parts.map((v) => tensorOfArray(v, [v.length]));
    const norm = gradNorm([tensors[0] ?? null, null, ...tensors.slice(1)]);
    // Lanes of a chunk of 16384 are sums of 1000 to 2000 squares each: some tens of eps in √, against an exact sum.
    const squares = parts.flatMap((part) => Array.from(part, (v) => v * v));
    expectClose([norm.item()], [Math.sqrt(sum(squares))], 64, 'norm');
    clip(norm, scalar(2 * norm.item()), tensors);
    expect(tensors.map((t) => t.dataSync())).toEqual(parts);
    clip(norm, scalar(1.5), tensors);
    const clipped = tensors.map((t) => t.dataSync());
    expect(Math.abs(globalNorm(clipped) / 1.5 - 1)).toBeLessThan(1e-6);
  });

  it('checkFinite names the first tensor with a NaN or an infinity', () => {
    const good = tensorOfArray(Float32Array.from(fixture(1)(50_000)), [50_000]);
    const huge = tensorOfArray(Float64Array.of(Number.MAX_VALUE, -Number.MAX_VALUE), [2]);
    expect(checkFinite([good, huge]).item()).toBe(-1);
    expect(checkFinite([]).item()).toBe(-1);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const at of [0, 1, 30_011, 49_999]) {
        const values = Float32Array.from(fixture(1)(50_000));
        values[at] = bad;
        const t = tensorOfArray(values, [50_000]);
        expect(checkFinite([good, huge, t, t]).item()).toBe(2);
      }
    }
  });
});
