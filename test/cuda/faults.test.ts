/** Faults that were planted into kernels: the emulation finds each of them. Otherwise its silence would mean nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../command';
import { emulatedProgram, isEmulated } from './emulated';

const folder = mkdtempSync(join(tmpdir(), 'flow-faults-'));
const program = join(folder, 'faults');

beforeAll(() => {
  if (isEmulated) emulatedProgram('test/cuda/faults.cu', program);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** What the device says of a run, and the sum that it gave. */
function run(...args: string[]): { said: string; sum: number } {
  const { stdout, status } = spawnSync(program, args, { cwd: PACKAGE_ROOT, encoding: 'utf8' });
  expect(status).toBe(0);
  const [said = '', sum = ''] = stdout.split('\n');
  return { said, sum: Number(sum) };
}

const orders = ['ascending', 'descending', 'random'];
const total = Array.from({ length: 1000 }, (_, i) => i % 7).reduce((a, b) => a + b);

describe.runIf(isEmulated).each(orders)('threads in %s order', (order) => {
  it('a kernel without a fault gives its result', () => {
    expect(run('none', order)).toEqual({ said: 'cudaSuccess', sum: total });
  });

  it('blocks may leave a sum to the last of them', () => {
    expect(run('last_block', order)).toEqual({ said: 'cudaSuccess', sum: 1 + 2 + 3 + 4 });
  });

  it.each([
    ['missing_barrier', /race on shared memory/],
    ['race', /race on shared memory/],
    ['unordered', /race on global memory/],
    ['two_writers', /race on global memory/],
    ['stale', /race on global memory: an access and another thread's store/],
    ['unasked', /race on global memory/],
    ['off_by_one', /access outside of every allocation of the device: 4 bytes/],
    ['wide_shared', /access outside of the shared memory that the launch asked for/],
    ['host_pointer', /access to memory of the host/],
    ['divergent', /divergent barrier/],
    ['misaligned', /misaligned access to global memory: 8 bytes/],
    ['misaligned_pack', /misaligned access to global memory: 16 bytes/],
    ['misaligned_shared', /misaligned access to shared memory: 8 bytes/],
  ])('%s', (fault, says) => {
    expect(run(fault, order).said).toMatch(says);
  });

  it('an output that nobody writes is NaN', () => {
    expect(run('unwritten', order)).toEqual({ said: 'cudaSuccess', sum: Number.NaN });
  });
});

it.runIf(isEmulated)(
  'a result that depends on the order of the threads differs between the orders',
  () => {
    const sums = orders.map((order) => run('order', order).sum);
    expect(new Set(sums).size).toBeGreaterThan(1);
  },
);

describe.runIf(isEmulated)('what the host asks for', () => {
  it.each([
    ['too_many_threads', /InvalidConfiguration: sum .* a block of 256 × 1 × 1, of 128 threads/],
    ['too_many_blocks', /InvalidConfiguration: write_one .* a grid of 1 × 65536 × 1/],
    ['shared_not_allowed', /InvalidValue: write_one .* 50176 bytes of shared memory, of 49152/],
    ['shared_beyond_device', /InvalidValue/],
    ['large_arguments', /InvalidValue: take_much .* 4100 bytes of arguments/],
    ['waiting', /a thread waits for another block: blocks need not run at the same time/],
    ['allocation_in_graph', /CaptureUnsupported: cudaMalloc while a stream is captured/],
    ['wait_in_graph', /CaptureUnsupported: cudaStreamSynchronize while a stream is captured/],
    ['upload_in_graph', /CaptureUnsupported: a copy from or to the host/],
    ['product_in_graph', /CaptureUnsupported: cublasSgemm while a stream is captured/],
    ['freed_before_graph', /access outside of every allocation of the device/],
    ['pinned_freed', /pinned memory was freed before the copy that uses it/],
  ])('%s', (fault, says) => {
    expect(run(fault).said).toMatch(says);
  });

  it('a graph is run when it is launched, and pinned memory read when the stream comes to it', () => {
    expect(run('graph')).toEqual({ said: 'cudaSuccess', sum: total });
    expect(run('pinned_reused')).toEqual({ said: 'cudaSuccess', sum: 0 });
  });
});
