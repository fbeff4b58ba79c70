/** Where tensors live and ops run. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FlowError } from '../errors';
import { native, packageRoot } from '../native';
import { callback, checkArgument } from '../options';

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
  checkArgument('onDevice', 'body', body, callback);
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

/** What the file of a plug-in is called: several may lie side by side, as flow_kernels_cuda12.so and flow_kernels_cuda13.so. */
const pluginName = /^flow_kernels_cuda.*\.so$/;

/** The plug-ins of a folder. */
function pluginsIn(folder: string): string[] {
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return files.filter((name) => pluginName.test(name)).map((name) => join(folder, name));
}

/** Where plug-ins are: FLOW_KERNELS_CUDA, a file or a folder; else a build of this checkout, and the prebuilt ones. */
function places(): string[] {
  const named = process.env['FLOW_KERNELS_CUDA'];
  if (named) return [named];
  const root = packageRoot();
  return [
    join(root, 'build', 'cuda', 'Release'),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`),
  ];
}

type Opened = { readonly description: string } | { readonly reason: string };

let opened: Opened | null = null;

/** Opens the GPU once a process: by the best plug-in of the first place that has one which can be used. */
function tryCuda(): Opened {
  opened ??= openCuda();
  return opened;
}

function openCuda(): Opened {
  const reasons: string[] = [];
  const searched = places();
  for (const place of searched) {
    const isFile = existsSync(place) && statSync(place).isFile();
    const paths = isFile ? [place] : pluginsIn(place);
    if (paths.length === 0) continue;
    try {
      return { description: native.openCuda(paths) };
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (reasons.length > 0) return { reason: reasons.join('; ') };
  const [only = ''] = searched;
  const [what, where] = only.endsWith('.so')
    ? [`the plug-in ${basename(only)}`, dirname(only)]
    : ['a plug-in flow_kernels_cuda*.so', searched.join(' or ')];
  return { reason: `${what} is not in ${where}: build it with "npm run build:cuda"` };
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
