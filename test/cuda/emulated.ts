/** Programs and plug-ins over the host emulation, built by scripts/build-emulation.mjs. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../command';

/** Whether the plug-in is the emulation: it counts bytes, and fails where it is told to. scripts/test-cuda.mjs --gpu says otherwise. */
export const isEmulated = !process.env['FLOW_TEST_GPU'];

function build(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(PACKAGE_ROOT, 'scripts', 'build-emulation.mjs'), '--quiet', ...args],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the emulation cannot be built:\n${stdout}${stderr}`);
}

/** Builds a program of one .cu file. */
export function emulatedProgram(source: string, target: string): void {
  build('--program', source, target);
}

/** Builds the plug-in over the emulation and makes it the one that this process loads; its path. */
export function emulatedPlugin(): string {
  const named = process.env['FLOW_KERNELS_CUDA'];
  if (named) return named;
  build();
  const path = join(PACKAGE_ROOT, 'build', 'emulation', 'flow_kernels_cuda.so');
  process.env['FLOW_KERNELS_CUDA'] = path;
  return path;
}
