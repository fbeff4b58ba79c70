/**
 * What the contract of an op asks of its CUDA kernels. The CPU's kernels have been through opContract.ts: gradients, which those are held
 * to by differences, are here held to the CPU's, which costs a hundredth.
 *
 * In the host emulation the threads of a block take turns in an order that is set: a case runs in three, with the same bits. A GPU has
 * its own order, and must give the same bits twice.
 */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import { isFlowError } from '../../lib/errors';
import { native } from '../../lib/native';
import { add, mul, sum } from '../../lib/ops';
import { type Device, onDevice } from '../../lib/tensor/device';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { eps64, fixture } from '../reference/close';
import type { OpCase, OpContract } from './opCase';
import { expectError, leavesNothing } from './opContract';
import {
  asColumnView,
  dataOf,
  drawInputs,
  expectNear,
  expectSame,
  gradientsOf,
  isDifferentiable,
  listed,
  makeTensors,
  seedOf,
  viewable,
  weighted,
  weightsOf,
} from './opInputs';

export const orders = ['ascending', 'descending', 'random'] as const;

/**
 * The order in which the threads of the emulation take turns from now on; in one of them it looks for races on global memory, too. A GPU
 * does not listen.
 */
export function takeTurns(order: (typeof orders)[number]): void {
  native.cudaSet('order', orders.indexOf(order));
  native.cudaSet('races', order === 'descending' ? 1 : 0);
}

/** Kernels cut their work by what the device has: devices of a few, of some and of many multiprocessors. KiB of a block's shared memory. */
const devices = [
  { multiprocessors: 4, shared: 163 },
  { multiprocessors: 24, shared: 99 }, // compute capabilities 8.6, 8.9, 12.0
  { multiprocessors: 132, shared: 227 }, // 9.0, 10.0
] as const;

/** Makes the emulation another device. */
export function standOn(device: number): void {
  const { multiprocessors, shared } = devices[device % devices.length] as (typeof devices)[number];
  native.cudaSet('multiprocessors', multiprocessors);
  native.cudaSet('sharedBytes', shared * 1024);
}

const differentiableOf = (test: OpCase) =>
  test.inputs.flatMap((input, i) => (isDifferentiable(input) ? [i] : []));

const unitsOf = (units: number, dtype: FloatDType) => (units * epsilonOf(dtype)) / eps64;

/** Values and gradients as plain numbers; a missing gradient is empty. */
function everything(test: OpCase, tensors: Tensor[], weights: Float64Array[]) {
  const outputs = dataOf(test.run(...tensors));
  const by = test.gradient === false ? [] : differentiableOf(test);
  return {
    outputs,
    gradients: by.length > 0 ? gradientsOf(test, tensors, weights, by) : [],
  };
}

const flat = ({ outputs, gradients }: ReturnType<typeof everything>) => [
  ...outputs,
  ...gradients.map((gradient) => gradient ?? []),
];

function checkKernels(test: OpCase, dtype: FloatDType): void {
  const values = drawInputs(test, dtype);
  const expected = listed(test.expected(...values));
  const weights = weightsOf(test, expected);
  const on = (device: Device, type: FloatDType) =>
    onDevice(device, () => scope(() => everything(test, makeTensors(test, values, type), weights)));
  takeTurns('ascending');
  onDevice('cuda', () =>
    scope(() => {
      const tensors = makeTensors(test, values, dtype);
      const first = everything(test, tensors, weights);

      first.outputs.forEach((output, k) => {
        const scale = test.relativeTo === 'element' ? 0 : undefined;
        expectNear(
          output,
          expected[k]!.values,
          unitsOf(test.units ?? 4, dtype),
          `output ${k}`,
          scale,
        );
      });
      // The float64 gradients of the CPU are those that differences have confirmed.
      const wanted = first.gradients.length > 0 ? on('cpu', 'float64').gradients : [];
      first.gradients.forEach((gradient, k) => {
        expect(gradient === null, 'has a gradient').toBe(wanted[k] === null);
        const units = unitsOf(test.gradientUnits ?? 64, dtype);
        if (gradient) expectNear(gradient, wanted[k]!, units, `gradient ${k}`);
      });

      for (const order of ['descending', 'random'] as const) {
        takeTurns(order);
        expectSame(flat(everything(test, tensors, weights)), flat(first));
      }
      if (dtype === 'float64') {
        differentiableOf(test).forEach((i, k) => {
          if (test.gradient === false) return;
          const alone = gradientsOf(test, tensors, weights, [i]).map((g) => g ?? []);
          expectSame(alone, [first.gradients[k] ?? []]);
        });
      }
      if (test.replays === false) return;
      const program = record(() => listed(test.run(...tensors)));
      program.run();
      expectSame(dataOf(program.result), first.outputs.slice(0, program.result.length));
      program.dispose();

      test.inputs.forEach((input, i) => {
        if (!viewable(input)) return;
        const mixed = tensors.map((tensor, k) => (k === i ? asColumnView(tensor) : tensor));
        // How a view is aligned says how wide its loads are, and so in which order a thread takes its share of a sum. Either order is
        // within `units` of the sum itself, so they may be two such errors apart; one is asked for.
        const units = unitsOf(test.strided ?? test.units ?? 4, dtype);
        const reached = flat(first);
        for (const [k, array] of flat(everything(test, mixed, weights)).entries())
          expectNear(array, reached[k]!, units, `with input ${i} as a view, result ${k}`);
      });
    }),
  );
}

/** The gradient of a gradient is that of the CPU, or refused. */
function checkSecondGradient(test: OpCase): void {
  const values = drawInputs(test, 'float64');
  const weights = weightsOf(test, listed(test.expected(...values)));
  const by = differentiableOf(test);
  const directions = values.map((own, i) =>
    fixture(seedOf(`${test.name} second ${i}`))(own.length),
  );
  const second = (device: Device) =>
    onDevice(device, () =>
      scope(() => {
        const tensors = makeTensors(test, values, 'float64');
        const inputs = by.map((i) => tensors[i]!);
        const slope = () => {
          const loss = () => weighted(listed(test.run(...tensors)), weights);
          const terms = valueAndGradient(loss, inputs).gradients.flatMap((g, k) =>
            g === null ? [] : [sum(mul(g, tensorOfArray(directions[by[k]!]!, g.shape)))],
          );
          return terms.reduce((a, b) => add(a, b));
        };
        return valueAndGradient(slope, inputs).gradients.map((g) => g?.dataSync() ?? []);
      }),
    );
  takeTurns('ascending');
  if (test.second === 'unsupported') {
    let thrown: unknown;
    try {
      second('cuda');
    } catch (error) {
      thrown = error;
    }
    expect(isFlowError(thrown, 'UNSUPPORTED'), `UNSUPPORTED, got ${thrown}`).toBe(true);
    return;
  }
  const wanted = second('cpu');
  for (const [k, found] of second('cuda').entries())
    expectNear(found, wanted[k]!, 1024, `second gradient ${k}`);
}

/** All checks of all cases of an op. */
export function testOpOnGpu(contract: OpContract): void {
  describe(contract.module, () => {
    describe.each(contract.cases.map((test, k) => [test.name, test, k] as const))(
      '%s',
      (_, test, k) => {
        const dtypes = test.dtypes ?? (['float32', 'float64'] as const);
        it.each(dtypes)('%s', (dtype) => {
          onDevice('cuda', () => standOn(k + dtypes.indexOf(dtype)));
          leavesNothing(() => checkKernels(test, dtype));
        });
        if (
          test.gradient !== false &&
          dtypes.includes('float64') &&
          differentiableOf(test).length > 0
        )
          it('second gradient', () => leavesNothing(() => checkSecondGradient(test)));
      },
    );
    const errors = (contract.errors ?? []).filter(({ byData }) => !byData);
    const mistakes = (contract.errors ?? []).filter(({ byData }) => byData);
    if (mistakes.length > 0) {
      // The CPU's ops look into the data before they compute; the GPU's touch nothing that is not theirs, and give NaN or infinity.
      it.each(mistakes)('no harm: $name', (error) => {
        leavesNothing(() =>
          onDevice('cuda', () =>
            scope(() => {
              error.run();
              expect([...tensorOfArray(Float32Array.of(1, 2), [2]).dataSync()]).toEqual([1, 2]);
            }),
          ),
        );
      });
    }
    if (errors.length > 0) {
      it.each(errors)('error: $name', (error) => {
        leavesNothing(() => onDevice('cuda', () => scope(() => expectError(error))));
      });
    }
  });
}
