/** Activations that backward rebuilds: the gradients of a chain are those of the taped one, and memory stays. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  Affine,
  AffineCoupling,
  BatchNorm,
  type Bijection,
  Chain,
  type CouplingSplit,
  conditionerSizes,
  MaskedAutoregressive,
  Permutation,
} from '../../lib/bijections';
import {
  type ActivationMemory,
  Activations,
  withActivations,
} from '../../lib/bijections/activations';
import type { FloatDType } from '../../lib/dtype';

import { Mlp } from '../../lib/nn';
import { add, cast, concatRows, max, mean, mul, reshape, square, sum } from '../../lib/ops';
import { memory, trimMemory } from '../../lib/runtime';

import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose, fixture } from '../reference/close';
import { bijectionCases, randomize } from './cases';

const features = 5;
const rows = 7;

function links(count: number, dtype: FloatDType, contextFeatures = 0): Bijection[] {
  return Array.from({ length: count }, (_, k): Bijection[] => [
    new MaskedAutoregressive({ features, hidden: [12], dtype, contextFeatures, seed: k + 1 }),
    new Affine({
      logScale: Array(features).fill(0),
      shift: Array(features).fill(0),
      learned: true,
      dtype,
    }),
    new Permutation([3, 0, 4, 1, 2]),
  ]).flat();
}

/** Couplings on columns, and on a checkerboard of 1 × 5 pixels. */
function couplings(dtype: FloatDType, contextFeatures = 0): Chain {
  const splits: readonly CouplingSplit[] = [
    { kind: 'columns', transformed: 'first' },
    { kind: 'columns', transformed: 'second' },
    { kind: 'checkerboard', image: { height: 1, width: 5 }, parity: 0 },
    { kind: 'checkerboard', image: { height: 1, width: 5 }, parity: 1 },
  ];
  return new Chain(
    splits.map((split, k) => {
      const [channels, positions] = split.kind === 'columns' ? [features, 1] : [1, features];
      const sizes = conditionerSizes(channels, split);
      const options = { ...sizes, positions, contextFeatures, hidden: [8], dtype, seed: k };
      const conditioner = new Mlp(options);
      return new AffineCoupling({ channels, positions, split, conditioner, dtype });
    }),
  );
}

function randomized(chain: Chain): Chain {
  randomize(chain, 5, 0.3);
  return chain;
}

function rowsOf(dtype: FloatDType, seed: number, cols = features, count = rows): Tensor {
  const values = fixture(seed)(count * cols);
  return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [count, cols]);
}

/** Loss that reads y and logDet, its gradients by x, context and parameters, and the largest drift. */
function differentiate(chain: Chain, x: Tensor, context: Tensor | null, kept: ActivationMemory) {
  const plan = new Activations(kept);
  const by = [x, ...(context ? [context] : []), ...chain.parameters()];
  const weights = rowsOf(x.dtype as FloatDType, 91, x.cols, x.rows);
  const { value, gradients } = valueAndGradient(
    () =>
      withActivations(plan, () => {
        const { y, logDet } = chain.forward(x, context);
        const ofRows = sum(mul(square(y), weights), -1);
        return mean(add(cast(ofRows, 'float64'), square(logDet)));
      }),
    by,
  );
  const drift = plan.drifts.length
    ? max(concatRows(plan.drifts.map((each) => reshape(each, [1])))).item()
    : 0;
  for (const each of plan.drifts) each.dispose();
  return {
    value: value.item(),
    gradients: gradients.map((g) => (g ? [...g.dataSync()] : [])),
    drift,
  };
}

const kinds = ['invertible', 'checkpoints'] as const;

/** The same gradients in float64. A rebuilt x has some eps of error, times the condition of the chain (some hundreds here). */
function expectGradients(
  kept: ReturnType<typeof differentiate>,
  taped: ReturnType<typeof differentiate>,
  kind: (typeof kinds)[number],
  scale?: number,
): void {
  const units = kind === 'invertible' ? 1e5 : 64;
  taped.gradients.forEach((expected, k) => {
    expectClose(kept.gradients[k] as number[], expected, units, `${kind}: gradient ${k}`, scale);
  });
}

describe.each(kinds)('memory %s', (kind) => {
  it.each([
    ['a chain', (dtype: FloatDType) => new Chain(links(3, dtype))],
    ['one bijection', (dtype: FloatDType) => new Chain(links(1, dtype).slice(0, 1))],
    ['couplings', couplings],
    [
      'chains in a chain',
      (dtype: FloatDType) => new Chain([new Chain(links(2, dtype)), ...links(1, dtype)]),
    ],
  ])('%s: gradients of the taped pass, float64', (_name, build) => {
    const chain = randomized(build('float64'));
    scope(() => {
      const x = rowsOf('float64', 3);
      const taped = differentiate(chain, x, null, 'taped');
      const kept = differentiate(chain, x, null, kind);
      expect(kept.value).toBe(taped.value);
      expect(taped.gradients.flat().some((d) => Math.abs(d) > 0.1)).toBe(true);
      expectGradients(kept, taped, kind);
      if (kind === 'invertible') expect(kept.drift).toBeGreaterThan(0);
      expect(kept.drift).toBeLessThan(1e-12);
    });
    chain.dispose();
  });

  it('context gets its gradient from every link that reads it', () => {
    const chain = randomized(new Chain([...links(2, 'float64', 2), ...links(1, 'float64')]));
    scope(() => {
      const [x, context] = [rowsOf('float64', 3), rowsOf('float64', 8, 2)];
      const taped = differentiate(chain, x, context, 'taped');
      const kept = differentiate(chain, x, context, kind);
      expect(Math.max(...(taped.gradients[1] as number[]).map(Math.abs))).toBeGreaterThan(0.01);
      expectGradients(kept, taped, kind);
    });
    chain.dispose();
  });

  it('a coupling runs its network twice: forward and for what both sides share', () => {
    const chain = randomized(couplings('float64', 2));
    let runs = 0;
    for (const { conditioner } of chain.bijections as AffineCoupling[]) {
      const apply = conditioner.apply.bind(conditioner);
      conditioner.apply = (...args) => {
        runs++;
        return apply(...args);
      };
    }
    scope(() => {
      const [x, context] = [rowsOf('float64', 3), rowsOf('float64', 8, 2)];
      const taped = differentiate(chain, x, context, 'taped');
      runs = 0;
      const kept = differentiate(chain, x, context, kind);
      expectGradients(kept, taped, kind);
    });
    expect(runs).toBe(2 * chain.bijections.length);
    chain.dispose();
  });

  it('batch norm in training is taped, and its running averages move once', () => {
    const build = () =>
      randomized(
        new Chain([
          ...links(1, 'float64'),
          new BatchNorm({ features, dtype: 'float64' }),
          ...links(1, 'float64'),
        ]),
      ).train() as Chain;
    const [chain, twin] = [build(), build()];
    scope(() => {
      const x = rowsOf('float64', 3);
      const taped = differentiate(twin, x, null, 'taped');
      const kept = differentiate(chain, x, null, kind);
      // The batch's mean takes most of the loss's gradient away: what is left has cancelled from numbers of about 1.
      expectGradients(kept, taped, kind, 1);
    });
    for (const [name, state] of chain.namedState())
      expect([...state.dataSync()], name).toEqual([
        ...(twin.namedState().get(name) as Tensor).dataSync(),
      ]);
    chain.dispose();
    twin.dispose();
  });

  it('float32: within the error of the inverse', () => {
    const chain = randomized(new Chain(links(3, 'float32')));
    scope(() => {
      const x = rowsOf('float32', 3);
      const taped = differentiate(chain, x, null, 'taped');
      const kept = differentiate(chain, x, null, kind);
      // 2^29 float64 eps are one of float32.
      taped.gradients.forEach((expected, k) => {
        expectClose(kept.gradients[k] as number[], expected, 2 ** 29 * 4096, `gradient ${k}`);
      });
      expect(kept.drift).toBeLessThan(1e-4);
    });
    chain.dispose();
  });

  it('leaves no tensor behind', () => {
    const chain = randomized(new Chain(links(2, 'float32')));
    const before = memory().buffers;
    scope(() => {
      differentiate(chain, rowsOf('float32', 3), null, kind);
    });
    expect(memory().buffers).toBe(before);
    chain.dispose();
  });

  it('refuses a second gradient', () => {
    const chain = randomized(new Chain(links(1, 'float64')));
    scope(() => {
      const x = rowsOf('float64', 3);
      const inner = () => {
        const { gradients } = valueAndGradient(
          () => withActivations(new Activations(kind), () => sum(square(chain.forward(x).y))),
          [x],
        );
        return sum(square(gradients[0] as Tensor));
      };
      expect(() => valueAndGradient(inner, [x])).toThrowError(/\[rebuilt\] gradient of a gradient/);
    });
    chain.dispose();
  });
});

describe.each(bijectionCases.map((test) => [test.name, test] as const))('%s', (_name, test) => {
  it('rebuilt and from a checkpoint: gradients of the taped pass', () => {
    const chain = new Chain([test.make('float64')]).train(test.training ?? false) as Chain;
    scope(() => {
      const draw = fixture(17)(4 * test.features);
      const values = test.domain === 'unit' ? draw.map((v) => 0.5 + v / 5) : draw;
      const x = tensorOfArray(values, [4, test.features]);
      const context = test.contextFeatures ? rowsOf('float64', 8, test.contextFeatures, 4) : null;
      const taped = differentiate(chain, x, context, 'taped');
      for (const kind of kinds) {
        const kept = differentiate(chain, x, context, kind);
        expectGradients(kept, taped, kind);
      }
    });
    chain.dispose();
  });
});

it('memory of a rebuilt step does not grow with depth; that of a taped one does', () => {
  const peak = (depth: number, kind: ActivationMemory) => {
    const chain = new Chain(
      Array.from(
        { length: depth },
        (_, k) => new MaskedAutoregressive({ features, hidden: [64], seed: k + 1 }),
      ),
    );
    const x = rowsOf('float32', 3, features, 4096);
    trimMemory();
    const before = memory().bytes;
    scope(() => {
      const plan = new Activations(kind);
      valueAndGradient(
        () => withActivations(plan, () => mean(chain.forward(x).logDet)),
        chain.parameters(),
      );
      for (const each of plan.drifts) each.dispose();
    });
    const bytes = memory().peakBytes - before;
    chain.dispose();
    x.dispose();
    return bytes;
  };
  // Gradients of the parameters grow with depth: 1,000 numbers a link against 260,000 of its activations.
  expect(peak(16, 'invertible') / peak(2, 'invertible')).toBeLessThan(1.1);
  expect(peak(16, 'taped') / peak(2, 'taped')).toBeGreaterThan(4);
});
