/**
 * Masked layers as strips of cuBLAS: the contract of each op with its staircases cut into three, those of networks too, the rule that
 * chooses, and what the host must know for it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FloatDType } from '../../lib/dtype';
import { native } from '../../lib/native';
import { maskedLinear, maskedLinearGradInput, maskedLinearGradWeight } from '../../lib/ops';
import { allowTf32, onDevice } from '../../lib/tensor/device';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { run } from '../command';
import type { OpContract } from '../contract/opCase';
import { standOn, testOpOnGpu } from '../contract/opOnGpu';
import { contract as maskedLinearContract } from '../ops/maskedLinear';
import { contract as maskedLinearGradInputContract } from '../ops/maskedLinearGradInput';
import { contract as maskedLinearGradWeightContract } from '../ops/maskedLinearGradWeight';
import { contract as mlpContract } from '../ops/mlp';
import { expectClose, fixture } from '../reference/close';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);
const cutInto = (strips: number) => onDevice('cuda', () => native.cudaSet('strips', strips));

/** The cases that differ: the most strips of each kind, every activation is the tiles' matter. */
const cut: readonly (readonly [OpContract, (name: string) => boolean])[] = [
  [maskedLinearContract, (name) => /129|33|17, addend|elu/.test(name)],
  [maskedLinearGradInputContract, (name) => /129|33|17/.test(name)],
  [maskedLinearGradWeightContract, (name) => /129|33|1100/.test(name)],
  [mlpContract, (name) => name.includes('masked') && !name.includes('301')],
];

describe.each(cut.map(([contract, isTaken]) => [contract.module, contract, isTaken] as const))(
  '%s in three strips',
  (_, contract, isTaken) => {
    const cases = contract.cases.filter(({ name }) => isTaken(name));
    beforeAll(() => {
      expect(cases.length).toBeGreaterThanOrEqual(3);
      cutInto(3);
    });
    afterAll(() => cutInto(-1));
    testOpOnGpu({ ...contract, cases, errors: [] });
  },
);

/** Numbers of a layer whose units see more and more inputs, 37 by 37: units sorted by degree. */
function layer(rows: number, inputs: number, units: number, dtype: FloatDType) {
  const draw = fixture(rows + units);
  const float = (shape: number[]) => {
    const values = draw(shape.reduce((a, b) => a * b));
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
  };
  const extents = Int32Array.from(
    { length: units },
    (_, o) => Math.floor(((o + 1) * inputs) / units / 37) * 37,
  );
  return {
    x: float([rows, inputs]),
    weight: float([units, inputs]),
    bias: float([units]),
    dy: float([rows, units]),
    extents: tensorOfArray(extents, [units]),
  };
}

/** The first products of a layer as numbers, and how many launches each took. */
function products({ x, weight, bias, dy, extents }: ReturnType<typeof layer>, count = 3) {
  x.dataSync();
  const all = [
    () => maskedLinear(x, weight, bias, { extents, activation: 'tanh' }),
    () => maskedLinearGradInput(dy, weight, extents),
    () => maskedLinearGradWeight(dy, x, extents),
  ];
  return all.slice(0, count).map((product) => {
    const before = native.cudaGet('launches');
    const values = Array.from(product().dataSync(), Number);
    return { values, launches: native.cudaGet('launches') - before };
  });
}

describe('the rule', () => {
  afterEach(() =>
    onDevice('cuda', () => {
      allowTf32(false);
      cutInto(-1);
      standOn(0);
    }),
  );

  it.runIf(isEmulated)('a large layer is strips, with the numbers of the CPU', () => {
    const run = () => products(layer(600, 320, 400, 'float32'), 1)[0];
    const wanted = scope(run);
    const found = onDevice('cuda', () => {
      allowTf32(true); // of which the emulation knows no more than that cuBLAS is fast
      return scope(run);
    });
    expect(found?.launches).toBeGreaterThanOrEqual(3); // zeros, a strip or more, bias and activation
    expect(found?.launches).toBeLessThanOrEqual(6);
    expectClose(found?.values ?? [], wanted?.values ?? [], 1200 * 2 ** 29, 'y');
  });

  it('small layers are one launch', () => {
    onDevice('cuda', () =>
      scope(() => {
        allowTf32(true);
        const found = products(layer(100, 40, 70, 'float32'));
        expect(found.map(({ launches }) => launches)).toEqual([1, 1, 1]);
      }),
    );
  });

  it('what the host has not written as it stands is tiles: parts of a tensor', () => {
    onDevice('cuda', () =>
      scope(() => {
        cutInto(3);
        const own = layer(20, 80, 90, 'float32');
        const all = tensorOfArray(Int32Array.of(-5, ...own.extents.dataSync()), [91]);
        const part = all.view([90], 1);
        const [whole, parts] = [products(own), products({ ...own, extents: part })];
        expect(whole.map(({ launches }) => launches)).toEqual([5, 4, 4]);
        expect(parts.map(({ launches }) => launches)).toEqual([1, 1, 1]);
        for (const [k, { values }] of parts.entries())
          expectClose(values, whole[k]?.values as number[], 200 * 2 ** 29, `product ${k}`);
      }),
    );
  });

  it('extents that change behind a graph: NaN where it would leave inputs out, nothing else', () => {
    onDevice('cuda', () =>
      scope(() => {
        cutInto(3);
        const own = layer(20, 80, 90, 'float32');
        const { x, weight, dy, extents } = own;
        const program = record(() => [
          maskedLinear(x, weight, null, { extents }),
          maskedLinearGradInput(dy, weight, extents),
          maskedLinearGradWeight(dy, x, extents),
        ]);
        program.run();
        program.run();
        const read = () => program.result.map((tensor) => Array.from(tensor.dataSync()));
        const first = read();
        const wanted = extents.dataSync() as Int32Array;
        // Unit 0 saw the inputs before 0, and now sees all.
        extents.write(Int32Array.of(80, ...wanted.slice(1)));
        program.run();
        const [y = [], dx = [], dW = []] = read();
        expect(y.every((v, k) => Number.isNaN(v) === (k % 90 === 0))).toBe(true);
        expect(dx.some(Number.isNaN)).toBe(true);
        expect(dW.some((v, k) => k < 80 && Number.isNaN(v))).toBe(true);
        expect(dW.slice(80)).toEqual(first[2]?.slice(80));
        // Run anew it is cut anew.
        const [again] = products({ ...own, bias: tensorOfArray(new Float32Array(90), [90]) });
        expect(again?.values.some(Number.isNaN)).toBe(false);
        program.dispose();
      }),
    );
  });

  it('covers what is seen, once; and takes few strips of large layers, none of small ones', () => {
    const folder = mkdtempSync(join(tmpdir(), 'flow-strips-'));
    const program = join(folder, 'rule');
    run(process.env['CXX'] ?? 'g++', [
      ...['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas'],
      ...['-DFLOW_CUDA_EMULATION=1', '-DFLOW_ISA=cuda', '-I.', '-Inative', '-Itest/cuda/emulation'],
      ...['-o', program, 'test/cuda/strips_rule.cc'],
    ]);
    // processors, capability, TF32, float64, rows, units, inputs, staircase; strips of the three products; computed over what is seen
    const table: readonly (readonly [string, readonly number[], number])[] = [
      ['132 90 0 0 512 128 64 even', [0, 0, 0], 0],
      ['132 90 0 0 4096 512 512 even', [0, 0, 0], 0],
      ['132 90 0 0 16384 512 512 even', [3, 3, 2], 1.5],
      ['132 90 0 0 16384 1024 1024 even', [6, 6, 5], 1.25],
      ['132 90 0 0 4096 4096 4096 ragged', [14, 14, 13], 1.15],
      ['132 90 1 0 4096 512 512 even', [1, 1, 1], 2],
      ['132 90 1 0 4096 2048 2048 ragged', [5, 5, 5], 1.25],
      ['132 90 0 1 4096 1024 1024 ragged', [3, 3, 2], 1.6],
      ['82 86 0 1 8192 1024 1024 even', [0, 0, 0], 0], // no tensor cores for float64
      ['132 90 1 0 4096 1024 1024 mixed', [1, 1, 1], 2.1],
    ];
    const words = table.flatMap(([line]) => line.split(' '));
    const lines = run(program, words).trim().split('\n');
    rmSync(folder, { recursive: true });
    for (const [k, [line, counts, over]] of table.entries()) {
      const found = lines.slice(3 * k, 3 * k + 3).map((text) => JSON.parse(text));
      expect(
        found.map(({ count }) => count),
        line,
      ).toEqual(counts);
      for (const one of found) {
        expect(one.twice, line).toBe(0);
        if (one.count > 0) expect(one.missed, line).toBe(0);
        expect(one.over, line).toBeLessThanOrEqual(over);
      }
    }
  });
});

it.runIf(isEmulated)('the mask of the strips: a pass over what is seen and what is written', () => {
  onDevice('cuda', () =>
    scope(() => {
      cutInto(2);
      const [rows, inputs, units] = [8, 2048, 96];
      const { x, weight, dy, extents } = layer(rows, inputs, units, 'float32');
      const seen = (extents.dataSync() as Int32Array).reduce((a, b) => a + b, 0);
      const moved = (body: () => Tensor) => {
        x.dataSync();
        native.cudaSet('clearCounters', 1);
        body().dataSync();
        return native.cudaGet('loaded') + native.cudaGet('stored');
      };
      const floors = [4 * (seen + units * inputs), 4 * (units * inputs - seen)];
      const found = [
        moved(() => maskedLinear(x, weight, null, { extents })),
        moved(() => maskedLinearGradWeight(dy, x, extents)),
      ];
      cutInto(-1);
      for (const [k, bytes] of found.entries()) {
        expect(bytes).toBeGreaterThanOrEqual(floors[k] as number);
        expect(bytes / (floors[k] as number)).toBeLessThanOrEqual(1.1);
      }
    }),
  );
});
