/** Where tensors live and ops run. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FlowError } from '../errors';
import { native, packageRoot } from '../native';

export type Device = 'cpu' | 'cuda';

/** As in native/core/engine.h. */
const codes = { cpu: 0, cuda: 1 } as const;

export function deviceCode(device: Device): number {
  return codes[device];
}

/** The device of the process, and that of the open {@link onDevice}, which an await does not end. */
let usual: Device = 'cpu';
let scoped: AsyncLocalStorage<Device> | null = null;

/** The device on which tensors are made that are made of nothing: constants, noise, data. */
export function currentDevice(): Device {
  return scoped?.getStore() ?? usual;
}

/**
 * The device for all that is made outside of {@link onDevice}; 'cpu' at first.
 *
 * @throws FlowError UNSUPPORTED with the reason where there is no GPU to be used
 */
export function setDevice(device: Device): void {
  requireDevice(device);
  usual = device;
}

/**
 * Runs `body`, synchronous or not, in which new tensors are made on `device`. What ops make of tensors is always where these are.
 *
 * @throws FlowError UNSUPPORTED with the reason where there is no GPU to be used
 */
export function onDevice<T>(device: Device, body: () => T): T {
  if (device === currentDevice()) return body();
  requireDevice(device);
  scoped ??= new AsyncLocalStorage();
  return scoped.run(device, body);
}

/** Runs calls of the device; what it says when it fails becomes a FlowError. */
export function onGpu<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('[cuda]'))
      throw new FlowError('NATIVE', error.message, { cause: error });
    throw error;
  }
}

const library = 'flow_kernels_cuda.so';

/** Where the plug-in may be: FLOW_KERNELS_CUDA, a build of this checkout, the prebuilt one. */
function candidates(): string[] {
  const named = process.env['FLOW_KERNELS_CUDA'];
  if (named) return [named];
  const root = packageRoot();
  return [
    join(root, 'build', 'cuda', 'Release', library),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, library),
  ];
}

let opened: { readonly description: string } | { readonly reason: string } | null = null;

/** Opens the GPU once a process. */
function tryCuda(): { readonly description: string } | { readonly reason: string } {
  if (opened) return opened;
  const paths = candidates();
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    const folders = paths.map((candidate) => dirname(candidate)).join(' and ');
    opened = {
      reason: `the plug-in ${library} is not in ${folders}: build it with "npm run build:cuda"`,
    };
    return opened;
  }
  try {
    opened = { description: native.openCuda(path) };
  } catch (error) {
    opened = { reason: error instanceof Error ? error.message : String(error) };
  }
  return opened;
}

/**
 * Lets cuBLAS round the factors of float32 products to TF32 (10 bits of mantissa), which the tensor cores of a GPU multiply several times
 * faster. Off at first: then float32 is float32.
 *
 * @throws FlowError UNSUPPORTED with the reason where there is no GPU to be used
 */
export function allowTf32(allowed: boolean): void {
  requireDevice('cuda');
  native.cudaSet('tf32', allowed ? 1 : 0);
}

/** What the GPU is, or why there is none. */
export function cudaStatus(): { available: boolean; description: string } {
  const found = tryCuda();
  return 'reason' in found
    ? { available: false, description: found.reason }
    : { available: true, description: found.description };
}

/** @throws FlowError UNSUPPORTED with the reason where the device cannot be used */
export function requireDevice(device: Device): void {
  if (device === 'cpu') return;
  const found = tryCuda();
  if (!('reason' in found)) return;
  throw new FlowError(
    'UNSUPPORTED',
    `[device] cuda: expected a GPU, got none: ${found.reason} (backends() lists what is there)`,
  );
}
