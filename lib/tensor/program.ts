/**
 * Programs: a step of fixed shapes, recorded once while it runs and replayed in one native call.
 *
 * The memory plan is the recording's own: a buffer that is freed during the recording is given to a later tensor of
 * the same size, and since every replay runs the same instructions in the same order, the reuse is as right in the
 * replay as it was in the recording.
 */
import type { DType } from '../dtype';
import { emitWarning } from '../errors';
import { native, nativeStatus } from '../native';
import { callback, checkArgument } from '../options';
import { type Device, onGpu } from './device';
import { setListener, throwNative } from './execute';
import { type Allocator, allocateFromEngine, type Storage, setAllocator } from './storage';
import { setRecording, type Tensor } from './tensor';
import { ThreadChoice } from './threadChoice';

class Recorder implements Allocator {
  readonly #instructions: Float64Array[] = [];
  /** Every buffer of the program, and which of them are free for reuse, by type and size. */
  readonly owned = new Set<number>();
  readonly #vacant = new Map<string, number[]>();
  /** Made before the recording and read or written by it: kept alive by the program. */
  readonly external = new Set<Storage>();
  /** Where its instructions run. */
  readonly devices = new Set<Device>();

  allocate(dtype: DType, elements: number, device: Device, fresh: boolean): number {
    // What is written from JavaScript is written once, not in every replay: an instruction that had used the buffer
    // before would overwrite it.
    const reused = fresh ? undefined : this.#vacant.get(`${device}:${dtype}:${elements}`)?.pop();
    if (reused !== undefined) return reused;
    const handle = allocateFromEngine(dtype, elements, device);
    this.owned.add(handle);
    return handle;
  }

  release(storage: Storage): boolean {
    if (!this.owned.has(storage.handle)) return programBuffers.has(storage.handle);
    // A constant must still be there in the next replay.
    if (!storage.constant) {
      const key = `${storage.device}:${storage.dtype}:${storage.elements}`;
      const list = this.#vacant.get(key);
      if (list) list.push(storage.handle);
      else this.#vacant.set(key, [storage.handle]);
    }
    return true;
  }

  hear(instruction: Float64Array, operands: readonly (Tensor | null)[], device: Device): void {
    this.#instructions.push(instruction);
    this.devices.add(device);
    for (const operand of operands) {
      if (
        operand &&
        !this.owned.has(operand.storage.handle) &&
        !this.external.has(operand.storage)
      ) {
        operand.storage.retain();
        this.external.add(operand.storage);
      }
    }
  }

  words(): Float64Array {
    const total = this.#instructions.reduce((sum, instruction) => sum + instruction.length, 0);
    const all = new Float64Array(total);
    let at = 0;
    for (const instruction of this.#instructions) {
      all.set(instruction, at);
      at += instruction.length;
    }
    return all;
  }
}

/** Programs whose buffers are alive, so that tensors of a program that outlive the recording are not freed twice. */
const programBuffers = new Set<number>();

export class Program<T> {
  readonly #words: Float64Array;
  readonly #owned: Set<number>;
  readonly #external: Set<Storage>;
  /** Of a program that runs on the GPU as a whole: its graph, made at the first replay. */
  #graph: number | null = null;
  /** Whether it is to be a graph: all of it runs on the GPU, and nothing in it was refused. */
  #isGraph: boolean;
  readonly #threads = new ThreadChoice();
  #disposed = false;

  /** What the body returned; its tensors hold the values of the latest run. */
  readonly result: T;

  constructor(
    words: Float64Array,
    owned: Set<number>,
    external: Set<Storage>,
    isOnGpu: boolean,
    result: T,
  ) {
    this.#isGraph = isOnGpu;
    this.#words = words;
    this.#owned = owned;
    this.#external = external;
    this.result = result;
  }

  /** Runs every instruction again, on the tensors that the recording used, in their state of now. */
  run(): void {
    if (this.#isGraph && this.#graph === null) this.#capture();
    if (this.#graph !== null) {
      const graph = this.#graph;
      onGpu(() => native.runGraph(graph));
      return;
    }
    const status = this.#threads.run((threads) => native.runProgram(this.#words, threads));
    if (status !== nativeStatus.ok) throwNative(status);
  }

  /** What cannot be captured goes on instruction by instruction: that is slower, and tells what is really wrong if it fails, too. */
  #capture(): void {
    try {
      this.#graph = native.captureProgram(this.#words);
    } catch (error) {
      this.#isGraph = false;
      emitWarning(
        `[program] graph: the GPU did not take the work as one graph, so it is given one instruction after the other: ${(error as Error).message}`,
      );
    }
  }

  /** Frees the program's memory; `result` is gone with it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#graph !== null) native.dropGraph(this.#graph);
    for (const handle of this.#owned) {
      programBuffers.delete(handle);
      native.free(handle);
    }
    for (const storage of this.#external) storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Storages of a program belong to the program even after the recording. */
const afterwards: Allocator = {
  allocate: allocateFromEngine,
  release: (storage) => programBuffers.has(storage.handle),
};

/**
 * Runs `body` once and records its instructions. The body must not read tensors (dataSync, item) nor write values into
 * tensors made before; inputs that change from run to run are tensors that the caller overwrites between runs.
 * What the body returns stays alive as long as the program: it is disposed with it.
 */
export function record<T>(body: () => T): Program<T> {
  checkArgument('record', 'body', body, callback);
  const recorder = new Recorder();
  setAllocator(recorder);
  setListener((instruction, operands, device) => recorder.hear(instruction, operands, device));
  setRecording(true);
  let result: T;
  try {
    result = body();
  } catch (error) {
    setAllocator(programBuffers.size > 0 ? afterwards : null);
    for (const handle of recorder.owned) native.free(handle);
    for (const storage of recorder.external) storage.release();
    throw error;
  } finally {
    setRecording(false);
    setListener(null);
  }
  for (const handle of recorder.owned) programBuffers.add(handle);
  setAllocator(afterwards);
  const { owned, external, devices } = recorder;
  const isOnGpu = devices.size === 1 && devices.has('cuda');
  return new Program(recorder.words(), owned, external, isOnGpu, result);
}
