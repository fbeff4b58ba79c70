/** The only file that loads native code. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TypedArray } from './dtype';
import { FlowError } from './errors';

/** What native/binding/addon.cc exports. Handles are numbers; see native/core/engine.h for the instruction words. */
export interface NativeAddon {
  /** Names of the ops; the position is the opcode. */
  readonly ops: readonly string[];
  /** The instruction set in use. */
  readonly isa: string;
  bind(words: Float64Array): void;
  /** Runs the instructions in the first `count` bound words; 0, or a status of {@link nativeStatus}. */
  run(count: number): number;
  /** On at most `threads` threads; 0 or left out: on all. */
  runProgram(words: Float64Array, threads?: number): number;
  /** As runProgram, by the plain loops of native/reference: an oracle for tests and the yardstick of benches. */
  runReference(words: Float64Array): number;
  /**
   * What the machine can do at most, measured on the threads in use: 10⁹ operations a second of float32 (kind 0) or
   * float64 (1) fused multiply-adds, or 10⁹ bytes a second of copy (2), triad (3) or update (4) over arrays of so many bytes.
   */
  measurePeak(kind: number, bytes: number): number;
  lastError(): string;
  /** 0 when there is no memory. */
  alloc(dtype: number, elements: number, device?: number): number;
  free(handle: number): boolean;
  write(handle: number, offset: number, source: TypedArray): void;
  read(handle: number, offset: number, target: TypedArray): void;
  /**
   * Reads tensors of the GPU as they are after the work so far, without waiting: undefined where everything came within so many
   * seconds, else a promise.
   */
  readAsync(
    handles: readonly number[],
    offsets: readonly number[],
    targets: readonly TypedArray[],
    seconds: number,
  ): Promise<void> | undefined;
  /** Live buffers, live bytes, cached bytes, peak bytes, instructions run, live bytes of the GPU, its cached bytes. */
  memory(): [number, number, number, number, number, number, number];
  trim(): void;
  /** Loads these CUDA plug-ins and opens the GPU by the best of them; a description. Throws the reason of each where none can be used. */
  openCuda(paths: readonly string[]): string;
  /** The names of the ops that the plug-in has. */
  cudaOps(): string[];
  /** Writes a program of the GPU down as a graph; its number. */
  captureProgram(words: Float64Array): number;
  runGraph(graph: number): void;
  dropGraph(graph: number): void;
  /** A counter of the plug-in ("launches"); NaN for an unknown one. */
  cudaGet(name: string): number;
  /** A switch of the plug-in's emulation; false where it has none of the name. */
  cudaSet(name: string, value: number): boolean;
  setThreads(threads: number): void;
  threads(): number;
}

/** Status of a native run, as in native/core/engine.h. */
export const nativeStatus = {
  ok: 0,
  malformed: 1,
  staleHandle: 2,
  outOfBounds: 3,
  outOfMemory: 4,
  opFailed: 5,
} as const;

/** The package's folder: where package.json is, seen from dist/ as from lib/. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

function listPrebuilds(root: string): string {
  try {
    const found = readdirSync(join(root, 'prebuilds'));
    return found.length > 0 ? found.join(', ') : 'none';
  } catch {
    return 'none';
  }
}

function load(): NativeAddon {
  const root = packageRoot();
  try {
    const gypBuild = require('node-gyp-build') as (folder: string) => NativeAddon;
    return gypBuild(root);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FlowError(
      'NATIVE',
      `[native] addon: expected a compiled addon for ${process.platform}-${process.arch}, Node ${process.versions.node}, ` +
        `got: ${reason.split('\n')[0]} (looked into ${join(root, 'build', 'Release')} and ${join(root, 'prebuilds')}, ` +
        `which has: ${listPrebuilds(root)}): in a git checkout run "npm run build:native"; ` +
        'in an installed package run "node scripts/build-native.mjs" in its folder (needs a C++20 compiler and python3)',
      { cause },
    );
  }
}

export const native: NativeAddon = load();

/** The bound instruction words. One instruction, or one whole model's optimizer update, must fit. */
export const words = new Float64Array(1 << 16);
native.bind(words);

const opcodes = new Map(native.ops.map((name, code) => [name, code]));

/** The opcode of an op by its native name. */
export function opcodeOf(name: string): number {
  const code = opcodes.get(name);
  if (code === undefined) {
    throw new FlowError(
      'NATIVE',
      `[native] op: expected one of ${native.ops.join(', ')}, got ${name}: rebuild the addon with "npm run build:native"`,
    );
  }
  return code;
}
