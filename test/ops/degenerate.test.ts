/** Inputs at the edge of what an op is made for, in the kernels and their plain loops. */
import { describe, expect, it } from 'vitest';
import { type DType, dtypeCode, typedArray } from '../../lib/dtype';
import { native, nativeStatus, opcodeOf } from '../../lib/native';
import { spline, splineInverse, splineParameters } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { fixture } from '../reference/close';

interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly dtype?: DType;
  readonly values?: readonly number[];
}

/** The outputs of an instruction, or the sentence it failed with. */
function run(
  op: string,
  inputs: readonly (Matrix | null)[],
  outputs: readonly (Matrix | null)[],
  attributes: readonly number[] = [],
  by: 'runProgram' | 'runReference' = 'runProgram',
): number[][] | string {
  const handles: number[] = [];
  const operands = [...inputs, ...outputs].map((matrix) => {
    if (!matrix) return [0, 0, 0, 0, 0, 0];
    const { rows, cols, dtype = 'float32', values } = matrix;
    const handle = native.alloc(dtypeCode(dtype), rows * cols);
    handles.push(handle);
    const data = typedArray(dtype, rows * cols);
    if (values) data.set(values);
    native.write(handle, 0, data);
    return [handle, dtypeCode(dtype), 0, rows, cols, cols];
  });
  const header = [opcodeOf(op), inputs.length, outputs.length, attributes.length];
  const status = native[by](Float64Array.of(...header, ...operands.flat(), ...attributes));
  const made = outputs.map((matrix, k) => {
    if (!matrix) return [];
    const data = typedArray(matrix.dtype ?? 'float32', matrix.rows * matrix.cols);
    native.read(operands[inputs.length + k]![0]!, 0, data);
    return Array.from(data as Float32Array);
  });
  const error = native.lastError();
  for (const handle of handles) native.free(handle);
  return status === nativeStatus.ok ? made : error;
}

describe.each(['runProgram', 'runReference'] as const)('%s', (by) => {
  it.each([
    ['first column of zeros', [0, 1, 2, 0, 3, 4, 0, 5, 7], Number.NEGATIVE_INFINITY],
    ['equal rows', [1, 2, 3, 1, 2, 3, 1, 5, 7], Number.NEGATIVE_INFINITY],
    ['zeros', new Array(9).fill(0), Number.NEGATIVE_INFINITY],
    ['singular, with a NaN', [0, 1, 2, 0, 3, Number.NaN, 0, 5, 7], Number.NaN],
    ['a NaN', [1, Number.NaN, 2, 3, 3, 1, 2, 5, 7], Number.NaN],
  ])('log|det| of a singular matrix: %s', (_, values, wanted) => {
    const logDet = { rows: 1, cols: 1, dtype: 'float64' } as const;
    for (const inverse of [null, { rows: 3, cols: 3 }]) {
      const made = run('batch_inverse', [{ rows: 3, cols: 3, values }], [inverse, logDet], [], by);
      expect(made[1]).toEqual([wanted]);
    }
  });

  const { NaN: none, POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;

  it('logits that are no distribution draw NaN', () => {
    const draw = (kind: number, logits: readonly number[], cols: number, draws = 1) => {
      const rows = logits.length / cols;
      const uniform = { rows, cols: draws, values: Array(rows * draws).fill(0.6) };
      const attributes = [kind, kind === 2 ? 2 : 3, -7];
      const [levels] = run(
        'discrete_sample',
        [{ rows, cols, values: logits }, uniform],
        [{ rows, cols: 1 }],
        attributes,
        by,
      ) as number[][];
      return levels;
    };
    const rows = [0, none, 0, none, 0, 0, 0, 0, up, down, down, down, down, 0, 0];
    expect(draw(0, rows, 3)).toEqual([none, none, none, none, 2]);
    expect(draw(2, [none, up, down, 0.6], 1)).toEqual([none, 1, 0, 1]);
    // One mixture of one component: logit, mean, log-scale.
    const mixtures = [none, 0, 0, 0, none, 0, 0, 0, none, 0, 0, 0];
    expect(draw(1, mixtures, 3, 2)).toEqual([none, none, none, 1]);
  });

  it('a bit of probability NaN is NaN', () => {
    const p = { rows: 1, cols: 4, values: [1, none, 0, none] };
    const state = { rows: 1, cols: 4, dtype: 'int32', values: [1, 2, 3, 4] } as const;
    const [bits] = run(
      'random_bernoulli',
      [p],
      [{ rows: 1, cols: 4 }, state],
      [],
      by,
    ) as number[][];
    expect(bits).toEqual([1, none, 0, none]);
  });

  it('a sample whose series ended is not touched by those that go on', () => {
    // w grows by 1e20 a term: infinite in float32 from the second on.
    const v = { rows: 2, cols: 1, values: [1, 1] };
    const q = {
      rows: 2,
      cols: 4,
      dtype: 'float64',
      values: [1, 0, 0, 0, 0, 0, 0, 1],
    } as const;
    const weight = { rows: 1, cols: 1, values: [1e20] };
    const outputs = [
      { rows: 2, cols: 1 },
      { rows: 2, cols: 1, dtype: 'float64' },
    ] as const;
    const made = run('residual_series', [v, q, weight, null], outputs, [1, 0], by);
    expect([made[0]![0], (made[1]![0] as number) / 1e20]).toEqual([1, expect.closeTo(1, 6)]);
    expect([made[0]![1], made[1]![1]]).toEqual([
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });
});

describe('attributes that are refused', () => {
  it('the own pixel twice', () => {
    const pixels = { rows: 4, cols: 1, values: [1, 2, 3, 4] };
    const weight = { rows: 1, cols: 2, values: [1, 1] };
    const geometry = [2, 2, 2, 0, 0, 0, 0, 0, 1, 0, 0];
    expect(
      run('wavefront_solve', [pixels, weight], [{ rows: 4, cols: 1 }], [1, 1, 1, 0, ...geometry]),
    ).toMatch(/\[wavefront_solve\] taps: expected the own pixel once, got it at 0 and 1/);
  });

  const sample = (node: readonly number[], weightCols: number) =>
    run(
      'pixel_sample',
      [
        { rows: 4, cols: 1, values: [0.4, 0.4, 0.4, 0.4] },
        { rows: 1, cols: 2, values: [0, 1] },
        { rows: 1, cols: weightCols },
        null,
      ],
      [{ rows: 4, cols: 1 }],
      [2, 2, 1, 2, 2, -7, 1, ...node],
    );
  it('taps of fractions, and a map that is there too late', () => {
    const conv = [0, 0, 0, -1, 1, 1, 0, 0, 1];
    expect(sample([...conv, 0, -1, 0], 1)).toEqual([[1, 1, 1, 1]]);
    // A tap far above the image reads zeros, and keeps no more rows than there are.
    expect(sample([...conv, 0, -1e6, 0], 1)).toEqual([[1, 1, 1, 1]]);
    for (const tap of [
      [0.5, -1, 0],
      [0, -0.5, 0],
      [0, -1, 0.5],
      [0, Number.NaN, 0],
      [0, -1e18, 0],
    ])
      expect(sample([...conv, ...tap], 1)).toMatch(/node 0: tap 0: expected whole numbers/);
    expect(sample([0, 1, 0, -1, 1, 1, 0, 0, 1, 0, -1, 0], 1)).toMatch(
      /output: expected the last node to be computed pixel by pixel/,
    );
  });
});

describe('splines', () => {
  const kinds = ['rationalQuadratic', 'quadratic', 'cubic'] as const;
  it.each(kinds)('%s: bins of no least width have one', (kind) => {
    for (const bins of [8, 32]) {
      const options = {
        kind,
        tails: 'linear',
        bins,
        bound: 3,
        leastWidth: 0,
        leastHeight: 0,
      } as const;
      const count = splineParameters(options);
      scope(() => {
        // All of the box in the first bins: the last ones are as narrow as they may be.
        const params = Float32Array.from({ length: count }, (_, k) =>
          k < 2 * bins && kind !== 'quadratic'
            ? k % bins < 2
              ? 60
              : -60
            : k < bins
              ? k < 2
                ? 60
                : -60
              : 0,
        );
        const x = Float32Array.from([-3, -1, 0, 2.9, 2.9999, 2.999999, 3]);
        const given = [tensorOfArray(x, [7, 1]), tensorOfArray(params, [1, count])] as const;
        for (const made of [spline(...given, options), splineInverse(...given, options)])
          for (const tensor of Object.values(made))
            expect([...tensor.toArray()].every(Number.isFinite), `${bins} bins`).toBe(true);
      });
    }
  });

  it('the root of a cubic does not depend on its neighbours', () => {
    const options = { kind: 'cubic', tails: 'linear', bins: 4, bound: 2 } as const;
    const count = splineParameters(options);
    const draw = fixture(11);
    const n = 64;
    const params = Float32Array.from(draw(n * count), (value) => 3 * value);
    const y = Float32Array.from(draw(n), (value) => Math.max(-1.9, Math.min(1.9, value)));
    const inverse = (from: number, to: number) =>
      scope(() => {
        const { x } = splineInverse(
          tensorOfArray(y.slice(from, to), [to - from, 1]),
          tensorOfArray(params.slice(from * count, to * count), [to - from, count]),
          options,
        );
        return [...x.toArray()];
      });
    const alone = Array.from({ length: n }, (_, k) => inverse(k, k + 1)[0]);
    expect(inverse(0, n)).toEqual(alone);
  });
});
