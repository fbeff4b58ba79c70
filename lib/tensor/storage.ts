/**
 * A native buffer and the count of the tensors that look at it. The buffer is freed when the last of them is gone:
 * the garbage collector does not see native memory, so nothing here waits for it.
 */
import { type DType, dtypeCode } from '../dtype';
import { FlowError } from '../errors';
import { native } from '../native';
import { currentDevice, type Device, deviceCode } from './device';

/** Who gives out and takes back buffers: the engine itself, or a recorder that plans the memory of a program. */
export interface Allocator {
  /** @param fresh no buffer that had another use before, and none that gets one later: for constants */
  allocate(dtype: DType, elements: number, device: Device, fresh: boolean): number;
  /** Takes the buffer back; false: the engine shall free it. */
  release(storage: Storage): boolean;
}

let allocator: Allocator | null = null;

/** Puts a recorder between the tensors and the engine; null takes it away. */
export function setAllocator(next: Allocator | null): void {
  allocator = next;
}

export function allocateBuffer(
  dtype: DType,
  elements: number,
  device: Device,
  fresh = false,
): number {
  if (allocator) return allocator.allocate(dtype, elements, device, fresh);
  return allocateFromEngine(dtype, elements, device);
}

export function allocateFromEngine(dtype: DType, elements: number, device: Device): number {
  const handle = native.alloc(dtypeCode(dtype), elements, deviceCode(device));
  if (handle === 0) {
    throw new FlowError(
      'NATIVE',
      `[tensor] memory: expected ${elements} elements of ${dtype}, got none from the system: use a smaller batch or dispose tensors`,
    );
  }
  return handle;
}

export class Storage {
  references = 1;
  /** Filled from JavaScript: a recorded program must not use the buffer for anything else. */
  constant = false;

  constructor(
    readonly handle: number,
    readonly dtype: DType,
    readonly elements: number,
    readonly device: Device = currentDevice(),
  ) {}

  retain(): void {
    this.references++;
  }

  release(): void {
    if (--this.references > 0) return;
    if (!allocator?.release(this)) native.free(this.handle);
  }
}
