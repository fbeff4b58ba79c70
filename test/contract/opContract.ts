/** The checks that every op goes through. See README.md. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type DType, epsilonOf, type FloatDType, typedArray } from '../../lib/dtype';
import { FlowError, isFlowError } from '../../lib/errors';
import { native } from '../../lib/native';
import { add, mul, sum } from '../../lib/ops';
import { sizeOf } from '../../lib/shape';
import { currentDevice } from '../../lib/tensor/device';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { emptyTensor, type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { eps64, fixture } from '../reference/close';
import { derivative, gradient as differences } from '../reference/differences';
import type { ErrorCase, OpCase, OpContract } from './opCase';
import {
  asColumnView,
  dataOf,
  drawInputs,
  expectNear,
  expectSame,
  gradientsOf,
  isDifferentiable,
  largest,
  listed,
  makeTensors,
  referenceLoss,
  seedOf,
  viewable,
  weighted,
  weightsOf,
} from './opInputs';
import { remembered } from './remembered';

/** Inputs up to this many elements are differentiated one by one. */
const smallCase = 48;

function checkForward(test: OpCase, dtype: FloatDType): void {
  const values = drawInputs(test, dtype);
  const expected = listed(test.expected(...values));
  scope(() => {
    const outputs = listed(test.run(...makeTensors(test, values, dtype)));
    expect(outputs.length, 'number of outputs').toBe(expected.length);
    outputs.forEach((output, k) => {
      const wanted = expected[k]!;
      expect([...output.shape], `output ${k}: shape`).toEqual([...wanted.shape]);
      expect(output.dtype, `output ${k}: type`).toBe(wanted.dtype ?? dtype);
      const units = ((test.units ?? 4) * epsilonOf(dtype)) / eps64;
      const scale = test.relativeTo === 'element' ? 0 : undefined;
      expectNear(output.dataSync(), wanted.values, units, `output ${k}`, scale);
    });
  });
}

function checkRepeats(test: OpCase, dtype: FloatDType): void {
  const values = drawInputs(test, dtype);
  const weights = weightsOf(test, listed(test.expected(...values)));
  const by = test.inputs.flatMap((input, i) => (isDifferentiable(input) ? [i] : []));
  const before = native.threads();
  const all = (tensors: Tensor[]) => {
    const outputs = dataOf(test.run(...tensors));
    if (test.gradient === false || by.length === 0) return outputs;
    return [...outputs, ...gradientsOf(test, tensors, weights, by).map((g) => g ?? [])];
  };
  scope(() => {
    const tensors = makeTensors(test, values, dtype);
    native.setThreads(1);
    try {
      const one = all(tensors);
      native.setThreads(4);
      expectSame(all(tensors), one);
      if (test.replays !== false) {
        const program = record(() => listed(test.run(...tensors)));
        program.run();
        expectSame(dataOf(program.result), one.slice(0, program.result.length));
        program.dispose();
      }

      test.inputs.forEach((input, i) => {
        if (!viewable(input)) return;
        const mixed = tensors.map((tensor, k) => (k === i ? asColumnView(tensor) : tensor));
        const found = all(mixed);
        // On a GPU the alignment of a view says how wide its loads are, and so in which order sums are taken.
        const strided = test.strided ?? (currentDevice() === 'cuda' ? test.units : 0);
        if (!strided) {
          expectSame(found, one);
          return;
        }
        found.forEach((array, k) => {
          const units = (strided * epsilonOf(dtype)) / eps64;
          expectNear(array, one[k]!, units, `with input ${i} as a view, result ${k}`);
        });
      });
    } finally {
      native.setThreads(before);
    }
  });
}

function checkGradient(op: string, test: OpCase): void {
  const values = drawInputs(test, 'float64');
  const weights = weightsOf(test, listed(test.expected(...values)));
  const by = test.inputs.flatMap((input, i) => (isDifferentiable(input) ? [i] : []));
  const given = [...values, ...weights];
  const moved = (i: number, point: Float64Array) =>
    referenceLoss(
      test,
      values.map((own, k) => (k === i ? point : own)),
      weights,
    );
  scope(() => {
    const tensors = makeTensors(test, values, 'float64');
    const together = gradientsOf(test, tensors, weights, by);
    by.forEach((i, k) => {
      const what = `gradient by input ${i}`;
      const found = together[k] ?? new Float64Array(values[i]!.length);
      expectSame(
        gradientsOf(test, tensors, weights, [i]).map((g) => g ?? []),
        [together[k] ?? []],
      );
      if (found.length <= smallCase) {
        const [error, ...entries] = remembered(`${op} | ${test.name} | ${i}`, given, () => {
          const { values: slopes, error } = differences((point) => moved(i, point), values[i]!);
          return Float64Array.of(error, ...slopes);
        }) as unknown as [number, ...number[]];
        const wanted = { values: entries, error };
        const size = Math.max(largest(wanted.values), 1e-3);
        // The estimate must be good, or the comparison would prove nothing.
        expect(wanted.error / size, `${what}: differences`).toBeLessThan(1e-7);
        wanted.values.forEach((value, e) => {
          const off = Math.abs(found[e]! - value) / size;
          expect(off, `${what}[${e}]: ${found[e]} against ${value}`).toBeLessThan(
            1e-9 + (4 * wanted.error) / size,
          );
        });
        return;
      }
      for (let round = 0; round < 3; round++) {
        const direction = fixture(seedOf(`${test.name} ${i} ${round}`))(found.length);
        const [value, error] = remembered(`${op} | ${test.name} | ${i} ${round}`, given, () => {
          const moving = (t: number) => values[i]!.map((value, e) => value + t * direction[e]!);
          const { value, error } = derivative((t) => moved(i, moving(t)), 0.02);
          return Float64Array.of(value, error);
        }) as unknown as [number, number];
        const along = { value, error };
        let slope = 0;
        let size = 1e-3;
        found.forEach((value, e) => {
          slope += value * direction[e]!;
          size += Math.abs(value * direction[e]!);
        });
        expect(along.error / size, `${what}: differences`).toBeLessThan(1e-7);
        expect(Math.abs(slope - along.value) / size, `${what} along a direction`).toBeLessThan(
          1e-9 + (4 * along.error) / size,
        );
      }
    });
  });
}

/** float32 gradients are those of float64 up to rounding. */
function checkGradient32(test: OpCase): void {
  const values = drawInputs(test, 'float32');
  const weights = weightsOf(test, listed(test.expected(...values)));
  const by = test.inputs.flatMap((input, i) => (isDifferentiable(input) ? [i] : []));
  scope(() => {
    const wide = gradientsOf(test, makeTensors(test, values, 'float64'), weights, by);
    const narrow = gradientsOf(test, makeTensors(test, values, 'float32'), weights, by);
    const units = ((test.gradientUnits ?? 64) * epsilonOf('float32')) / eps64;
    narrow.forEach((found, k) => {
      expect(found === null, 'has a gradient').toBe(wide[k] === null);
      if (found) expectNear(found, wide[k]!, units, `gradient by input ${by[k]}`);
    });
  });
}

function checkSecondGradient(test: OpCase): void {
  const values = drawInputs(test, 'float64');
  const weights = weightsOf(test, listed(test.expected(...values)));
  const by = test.inputs.flatMap((input, i) => (isDifferentiable(input) ? [i] : []));
  const direction = values.map((own, i) => fixture(seedOf(`${test.name} second ${i}`))(own.length));

  /** Σ direction · gradient, as a tensor that an outer tape can differentiate. */
  const slope = (tensors: Tensor[]) => {
    const { gradients } = valueAndGradient(
      () => weighted(listed(test.run(...tensors)), weights),
      by.map((i) => tensors[i]!),
    );
    const terms = gradients.flatMap((g, k) => {
      if (g === null) return [];
      return [sum(mul(g, tensorOfArray(direction[by[k]!]!, g.shape)))];
    });
    return terms.length > 0 ? terms.reduce((a, b) => add(a, b)) : null;
  };

  scope(() => {
    const tensors = makeTensors(test, values, 'float64');
    const outer = () =>
      valueAndGradient(
        () => slope(tensors)!,
        by.map((i) => tensors[i]!),
      );
    if (test.second === 'unsupported') {
      let thrown: unknown;
      try {
        outer();
      } catch (error) {
        thrown = error;
      }
      expect(isFlowError(thrown, 'UNSUPPORTED'), `UNSUPPORTED, got ${thrown}`).toBe(true);
      return;
    }
    const found = outer().gradients.map((g) => g?.dataSync());
    by.forEach((i, k) => {
      const aside = fixture(seedOf(`${test.name} aside ${i}`))(values[i]!.length);
      const along = derivative(
        (t) =>
          scope(() => {
            const point = values.map((own, m) =>
              m === i ? own.map((value, e) => value + t * aside[e]!) : own,
            );
            return slope(makeTensors(test, point, 'float64'))!.item();
          }),
        0.02,
      );
      let total = 0;
      let size = 1e-3;
      (found[k] ?? []).forEach((value, e) => {
        total += value * aside[e]!;
        size += Math.abs(value * aside[e]!);
      });
      expect(along.error / size, `second gradient by input ${i}: differences`).toBeLessThan(1e-6);
      expect(
        Math.abs(total - along.value) / size,
        `second gradient by input ${i}: ${total} against ${along.value}`,
      ).toBeLessThan(1e-8 + (4 * along.error) / size);
    });
  });
}

function checkDisposed(test: OpCase): void {
  const values = drawInputs(test, 'float32');
  test.inputs.forEach((_, i) => {
    scope(() => {
      const tensors = makeTensors(test, values, 'float32');
      tensors[i]!.dispose();
      tensors[i]!.dispose();
      let thrown: unknown;
      try {
        test.run(...tensors);
      } catch (error) {
        thrown = error;
      }
      expect(isFlowError(thrown, 'DISPOSED'), `input ${i}: DISPOSED, got ${thrown}`).toBe(true);
    });
  });
}

/** Runs `body` and expects that no tensor outlives it. */
export function leavesNothing(body: () => void): void {
  const before = native.memory()[0];
  body();
  expect(native.memory()[0] - before, 'live tensors left').toBe(0);
}

/** All checks of all cases of an op. */
export function testOp(contract: OpContract): void {
  describe(contract.module, () => {
    describe.each(contract.cases.map((test) => [test.name, test] as const))('%s', (_, test) => {
      const dtypes = test.dtypes ?? (['float32', 'float64'] as const);
      const differentiable = test.gradient !== false && test.inputs.some(isDifferentiable);
      it.each(dtypes)('%s: values', (dtype) => leavesNothing(() => checkForward(test, dtype)));
      it.each(dtypes)('%s: threads, views, programs', (dtype) =>
        leavesNothing(() => checkRepeats(test, dtype)),
      );
      if (differentiable) {
        if (dtypes.includes('float64')) {
          it('gradient', () => leavesNothing(() => checkGradient(contract.module, test)));
          it('second gradient', () => leavesNothing(() => checkSecondGradient(test)));
        }
        if (dtypes.length === 2)
          it('float32 gradient', () => leavesNothing(() => checkGradient32(test)));
      }
      it('disposed inputs', () => leavesNothing(() => checkDisposed(test)));
    });
    const errors = (contract.errors ?? []).filter(
      ({ byData }) => !(byData && currentDevice() === 'cuda'),
    );
    if (errors.length > 0) {
      it.each(errors.map((error) => [error.name, error] as const))('error: %s', (_, error) => {
        leavesNothing(() => scope(() => expectError(error)));
      });
    }
  });
}

/** The call throws, in the words of the row. */
export function expectError({ run, code, says }: ErrorCase): void {
  let thrown: unknown;
  try {
    run();
  } catch (caught) {
    thrown = caught;
  }
  expect(thrown, 'throws a FlowError').toBeInstanceOf(FlowError);
  expect((thrown as FlowError).code).toBe(code);
  expect((thrown as FlowError).message).toMatch(says);
}

/** A tensor with nothing in particular in it, for error cases. */
export function f32(shape: readonly number[]): Tensor {
  return tensorOfArray(new Float32Array(sizeOf(shape)), shape);
}

export function ofType(shape: readonly number[], dtype: DType): Tensor {
  const result = emptyTensor(shape, dtype);
  result.write(typedArray(dtype, sizeOf(shape)));
  return result;
}
