/** Why a GPU cannot be used, each reason told apart; and what is left when it fails in the middle of the work. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { isFlowError } from '../../lib/errors';
import { native } from '../../lib/native';
import { add, gradNorm } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { allowTf32, onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { PACKAGE_ROOT } from '../command';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

/** What backends() of the built package says in a process of its own. */
function reasonIn(env: Record<string, string>): string {
  const script = `const { backends } = require(${JSON.stringify(join(PACKAGE_ROOT, 'dist'))}); console.log(JSON.stringify(backends()[1]));`;
  const { stdout, status, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { available, description } = JSON.parse(stdout);
  expect(available).toBe(Object.keys(env).length === 0);
  return description;
}

describe('backends() says', () => {
  it('what the device is', () => {
    expect(reasonIn({})).toMatch(
      isEmulated
        ? /host emulation, compute capability 8\.0, .*cuBLAS \d+\.\d/
        : /compute capability \d+\.\d, .*cuBLAS \d+\.\d/,
    );
  });
  const reasons: [string, Record<string, string>, RegExp][] = [
    ['no such file', { FLOW_KERNELS_CUDA: '/nowhere/x.so' }, /is not in \/nowhere: build it/],
    [
      'no library',
      { FLOW_KERNELS_CUDA: join(PACKAGE_ROOT, 'package.json') },
      /\[cuda\] library: .*(invalid ELF|file too short|invalid)/,
    ],
    ['no plug-in', { FLOW_KERNELS_CUDA: 'LIBM' }, /it is no plug-in of flow-kernels/],
    [
      'no cuBLAS',
      { FLOW_KERNELS_CUBLAS: '/nowhere' },
      /cuBLAS: it was not found: install .*FLOW_KERNELS_CUBLAS/,
    ],
    [
      'a library that is no cuBLAS',
      { FLOW_KERNELS_CUBLAS: 'LIBM' },
      /cuBLAS: no library that was found can be used \(.*libm.*: 12\.0 or later is needed: it has no cublas/,
    ],
  ];
  const emulated: typeof reasons = [
    ['no device', { FLOW_EMULATION_OPEN: 'cudaErrorNoDevice' }, /none was found: .*NoDevice/],
    [
      'an old driver',
      { FLOW_EMULATION_OPEN: 'cudaErrorInsufficientDriver' },
      /none was found: .*InsufficientDriver.*update the driver/s,
    ],
    [
      'no driver',
      { FLOW_EMULATION_OPEN: 'cudaErrorInsufficientDriver', FLOW_EMULATION_DRIVER: '0' },
      /none was found: .*there is no driver: install/s,
    ],
    [
      'no memory',
      { FLOW_EMULATION_OPEN: 'cudaErrorMemoryAllocation' },
      /cannot be opened: .*MemoryAllocation/,
    ],
    [
      'an old device',
      { FLOW_EMULATION_CAPABILITY: '75' },
      /expected compute capability 8\.0 or later, got host emulation of 7\.5/,
    ],
    [
      'no kernels for the device',
      { FLOW_EMULATION_OPEN: 'cudaErrorNoKernelImageForDevice' },
      /no kernels that it can run: .*NoKernelImage.* has compute capability 8\.0: build/,
    ],
  ];
  it.each([...reasons, ...(isEmulated ? emulated : [])])('%s', (_name, env, message) => {
    const found = Object.fromEntries(
      Object.entries(env).map(([key, value]) => [key, value === 'LIBM' ? libm() : value]),
    );
    expect(reasonIn(found)).toMatch(message);
  });
});

it('TF32 is off until it is allowed', () => {
  onDevice('cuda', () => {
    expect(native.cudaGet('tf32')).toBe(0);
    allowTf32(true);
    expect(native.cudaGet('tf32')).toBe(1);
    allowTf32(false);
    expect(native.cudaGet('tf32')).toBe(0);
  });
});

it('require loads nothing of a GPU: that is left to the first use of one', () => {
  const script = `
    const loaded = () => process.report.getReport().sharedObjects.filter((path) => /flow_kernels_cuda|cublas|libcuda/.test(path)).length;
    const { backends } = require(${JSON.stringify(join(PACKAGE_ROOT, 'dist'))});
    const before = loaded();
    backends();
    console.log(JSON.stringify([before, loaded() > 0]));`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual([0, true]);
});

/** Some library that is there and no plug-in: the one that the process has its mathematics from. */
function libm(): string {
  const report = process.report.getReport() as unknown as { sharedObjects: string[] };
  const path = report.sharedObjects.find((object) => /\/libm[.-]/.test(object));
  if (!path) throw new Error('the process has no libm');
  return path;
}

it.runIf(isEmulated)(
  'an op of several launches of which one is refused leaves no count behind',
  () => {
    onDevice('cuda', () =>
      scope(() => {
        // More tensors than the table of one launch has: the blocks of both are counted together.
        const list = (step: number) =>
          Array.from({ length: 100 }, (_, k) => tensorOfArray(Float32Array.of(step * k), [1]));
        const norm = Math.hypot(...Array.from({ length: 100 }, (_, k) => k));
        expect(gradNorm(list(1)).item()).toBeCloseTo(norm, 9);
        native.cudaSet('failLaunch', 1);
        expect(() => gradNorm(list(2))).toThrow(/refused/);
        native.cudaSet('failLaunch', -1);
        expect(gradNorm(list(4)).item()).toBeCloseTo(4 * norm, 9);
      }),
    );
  },
);

describe.runIf(isEmulated)('a failure in the middle of the work', () => {
  const x = Float32Array.of(1, 2, 3);
  it.each([
    ['a launch that is refused', () => native.cudaSet('failLaunch', 0), /the GPU refused the work/],
    ['no memory', () => native.cudaSet('memory', native.cudaGet('deviceBytes')), /no memory/],
    [
      'a fault of earlier work',
      () => native.cudaSet('fault', 1),
      /\[cuda\] the device stopped: planted/,
    ],
  ] as const)('%s: an error in words, nothing lost, and work goes on', (_name, fail, message) => {
    onDevice('cuda', () =>
      scope(() => {
        const a = tensorOfArray(x, [3]);
        a.dataSync(); // the copy is done: a fault drops what is queued
        native.trim();
        const before = memory().buffers;
        fail();
        let thrown: unknown;
        try {
          add(a, a);
        } catch (error) {
          thrown = error;
        }
        native.cudaSet('failLaunch', -1);
        native.cudaSet('clearError', 1);
        native.cudaSet('memory', 2 ** 32);
        expect(isFlowError(thrown, 'NATIVE'), String(thrown)).toBe(true);
        expect((thrown as Error).message).toMatch(message);
        expect(memory().buffers).toBe(before);
        expect([...add(a, a).dataSync()]).toEqual([2, 4, 6]);
      }),
    );
  });
});
