/** A view of native memory: a shape over rows × channels, with a stride from row to row. */
import { type DType, dtypeOfArray, type TypedArray, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { native } from '../native';
import { array, checkArgument } from '../options';
import { checkShape, colsOf, formatShape, rowsOf, type Shape, sizeOf } from '../shape';
import { currentDevice, type Device, onGpu, requireDevice } from './device';
import { currentScope } from './scope';
import { allocateBuffer, Storage } from './storage';

/** Shared by a tensor and its finalizer, so that neither frees twice and neither keeps the other alive. */
interface Hold {
  storage: Storage | null;
}

function letGo(hold: Hold): void {
  const storage = hold.storage;
  hold.storage = null;
  storage?.release();
}

/**
 * A safety net for tensors outside of every scope that were dropped without dispose. It runs only when the event loop
 * turns, so it does not replace dispose in a loop. Kept at module level: a registry that is collected calls nobody.
 */
const forgotten = new FinalizationRegistry<Hold>(letGo);

/** Throws SHAPE unless the view lies within the memory: what is beyond is someone else's. */
function requireWithin(storage: Storage, shape: Shape, offset: number, stride: number): void {
  const [rows, cols] = [rowsOf(shape), colsOf(shape)];
  const end = offset + (rows > 0 ? (rows - 1) * stride + cols : 0);
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(stride);
  if (whole && offset >= 0 && stride >= 0 && end <= storage.elements) return;
  const got = `${formatShape(shape)} from ${offset} on, ${stride} from row to row`;
  const wanted = `within the ${storage.elements} elements of the memory`;
  throw new FlowError('SHAPE', expected('view', 'shape', wanted, got, 'reshape() keeps the size'));
}

let nextId = 1;

export class Tensor {
  /** Shared by all views of the same value that the tape must not tell apart (see {@link alias}). */
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  /** First element in the storage. */
  readonly offset: number;
  /** Elements from one row to the next. */
  readonly rowStride: number;
  readonly #hold: Hold;

  constructor(
    storage: Storage,
    shape: Shape,
    offset = 0,
    rowStride = colsOf(shape),
    id = 0,
    scoped = true,
  ) {
    this.id = id === 0 ? nextId++ : id;
    this.shape = shape;
    this.dtype = storage.dtype;
    this.offset = offset;
    this.rowStride = rowStride;
    this.#hold = { storage };
    if (scoped) this.adopt();
  }

  /** Memory of the tensor. Throws when it was disposed. */
  get storage(): Storage {
    const storage = this.#hold.storage;
    if (storage === null) {
      throw new FlowError(
        'DISPOSED',
        expected(
          'tensor',
          'memory',
          'a live tensor',
          `a disposed one of shape ${formatShape(this.shape)}`,
          'return it from its scope, or keep() it',
        ),
      );
    }
    return storage;
  }

  get disposed(): boolean {
    return this.#hold.storage === null;
  }

  get device(): Device {
    return this.storage.device;
  }

  get rows(): number {
    return rowsOf(this.shape);
  }

  get cols(): number {
    return colsOf(this.shape);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether the rows follow each other without a gap. */
  get contiguous(): boolean {
    return this.rowStride === this.cols || this.rows === 1;
  }

  /** Registers with the open scope; outside of every scope with the safety net. */
  adopt(): void {
    const scope = currentScope();
    if (scope) scope.push(this);
    else this.adoptAtTop();
  }

  /** Registers with the safety net only. */
  adoptAtTop(): void {
    forgotten.register(this, this.#hold);
  }

  /** Frees the tensor's claim on its memory. Safe to call twice. */
  dispose(): void {
    letGo(this.#hold);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The same value (and the same identity for gradients) as a second claim on the memory. In no scope: whoever makes
   * an alias disposes it.
   */
  alias(): Tensor {
    const storage = this.storage;
    storage.retain();
    return new Tensor(storage, this.shape, this.offset, this.rowStride, this.id, false);
  }

  /** A copy of the values on a device; of this tensor's own type and shape. */
  to(device: Device): Tensor {
    requireDevice(device);
    return tensorOfArray(this.dataSync(), this.shape, device);
  }

  /** Moves the tensor itself to a device. Views of it stay where they are. */
  moveTo(device: Device): void {
    if (device === this.device) return;
    const copy = this.to(device);
    const { storage } = copy;
    storage.retain();
    copy.dispose();
    this.#hold.storage?.release();
    this.#hold.storage = storage;
  }

  /** Another look at the same memory, as a new value. */
  view(shape: Shape, offset = this.offset, rowStride?: number): Tensor {
    checkShape('view', shape);
    const stride = rowStride ?? colsOf(shape);
    requireWithin(this.storage, shape, offset, stride);
    const storage = this.storage;
    storage.retain();
    return new Tensor(storage, shape, offset, stride);
  }

  /** Copies the values out, in row-major order. */
  dataSync(): TypedArray {
    const { storage, rows, cols, rowStride, offset } = this;
    const result = typedArray(this.dtype, rows * cols);
    refuseWhileRecording('dataSync');
    onGpu(() => {
      if (this.contiguous) {
        native.read(storage.handle, offset, result);
      } else if (cols > 0) {
        for (let r = 0; r < rows; r++) {
          const row = result.subarray(r * cols, (r + 1) * cols);
          native.read(storage.handle, offset + r * rowStride, row);
        }
      }
    });
    return result;
  }

  /**
   * Copies the values out as they are after the work so far, in row-major order. The event loop goes on while a GPU works; the tensor
   * may be disposed, or written to, at once.
   */
  async data(): Promise<TypedArray> {
    if (this.device === 'cpu') return this.dataSync();
    refuseWhileRecording('data');
    const { rows, cols, rowStride, dtype, contiguous } = this;
    const size = rows * cols;
    const span = contiguous || size === 0 ? size : (rows - 1) * rowStride + cols;
    const found = typedArray(dtype, span);
    await readFromGpu([this], [found], 0);
    if (span === size) return found;
    const result = typedArray(dtype, size);
    for (let r = 0; r < rows; r++)
      result.set(found.subarray(r * rowStride, r * rowStride + cols), r * cols);
    return result;
  }

  /** The values as plain numbers, in row-major order. */
  toArray(): number[] {
    return Array.from(this.dataSync());
  }

  /** The value of a tensor of one element. */
  item(): number {
    if (this.size !== 1) {
      throw new FlowError(
        'SHAPE',
        expected('item', 'tensor', 'one element', formatShape(this.shape), 'use dataSync()'),
      );
    }
    return this.dataSync()[0] as number;
  }

  /** Overwrites the values in place. `values` has size elements in row-major order. */
  write(values: TypedArray): void {
    refuseWhileRecording('write');
    this.writeUnrecorded(values);
  }

  /** Overwrites the values without a word in a program that is being recorded: for constants made in it. */
  writeUnrecorded(values: TypedArray): void {
    checkArgument('write', 'values', values, array);
    const { storage, rows, cols, rowStride, offset } = this;
    if (values.length !== rows * cols || dtypeOfArray(values) !== this.dtype) {
      throw new FlowError(
        'SHAPE',
        expected(
          'write',
          'values',
          `${rows * cols} elements of ${this.dtype}`,
          `${values.length} of ${dtypeOfArray(values) ?? values.constructor.name}`,
          'convert or slice them first',
        ),
      );
    }
    onGpu(() => {
      if (this.contiguous) {
        native.write(storage.handle, offset, values);
      } else if (cols > 0) {
        for (let r = 0; r < rows; r++) {
          const row = values.subarray(r * cols, (r + 1) * cols);
          native.write(storage.handle, offset + r * rowStride, row);
        }
      }
    });
  }

  toString(): string {
    return `Tensor(${formatShape(this.shape)}, ${this.dtype}${this.disposed ? ', disposed' : ''})`;
  }
}

/**
 * Reads tensors of the GPU into arrays, from their first element on.
 *
 * @param seconds how long to wait for them before others get the event loop
 * @returns a promise where it takes longer
 * @throws FlowError NATIVE, or rejects with it
 */
export function readFromGpu(
  tensors: readonly Tensor[],
  targets: readonly TypedArray[],
  seconds: number,
): Promise<void> | undefined {
  const handles = tensors.map(({ storage }) => storage.handle);
  const offsets = tensors.map(({ offset }) => offset);
  const pending = onGpu(() => native.readAsync(handles, offsets, targets, seconds));
  return pending?.catch((error: unknown) => {
    onGpu(() => {
      throw error;
    });
  });
}

let recording = false;

/** Set by the recorder of programs: reading or writing from JavaScript would not be part of the program. */
export function setRecording(on: boolean): void {
  recording = on;
}

export function isRecording(): boolean {
  return recording;
}

function refuseWhileRecording(what: string): void {
  if (!recording) return;
  throw new FlowError(
    'UNSUPPORTED',
    expected(
      what,
      'tensor',
      'no access from JavaScript inside a recorded step',
      'one',
      'read results after the step, and pass inputs as tensors made before it',
    ),
  );
}

/** A tensor over new, unwritten memory. */
export function emptyTensor(shape: Shape, dtype: DType, device = currentDevice()): Tensor {
  const elements = sizeOf(shape);
  const handle = allocateBuffer(dtype, elements, device);
  return new Tensor(new Storage(handle, dtype, elements, device), shape);
}

/** A tensor with the given values (copied). */
export function tensorOfArray(values: TypedArray, shape: Shape, device = currentDevice()): Tensor {
  const dtype = dtypeOfArray(values);
  if (dtype === undefined) {
    throw new FlowError(
      'DTYPE',
      expected(
        'tensor',
        'array',
        'Float32Array, Float64Array, Int32Array or Uint8Array',
        values.constructor.name,
        'convert it first',
      ),
    );
  }
  if (values.length !== sizeOf(shape)) {
    throw new FlowError(
      'SHAPE',
      expected(
        'tensor',
        'array',
        `${sizeOf(shape)} elements for shape ${formatShape(shape)}`,
        `${values.length}`,
        'pass a shape that fits the data',
      ),
    );
  }
  const handle = allocateBuffer(dtype, values.length, device, true);
  const storage = new Storage(handle, dtype, values.length, device);
  storage.constant = true;
  const result = new Tensor(storage, shape);
  result.writeUnrecorded(values);
  return result;
}
