/**
 * One file is one model: a safetensors file with the weights and state by their paths, and in the metadata the
 * architecture as JSON. Nothing in it is executed.
 *
 * Metadata: `format` = flow-kernels, `version` = 2, `config` = JSON; further keys are the caller's. Version 1, which is read as well,
 * called `transforms` what a coupling's split calls `transformed`.
 */
import { type DType, dtypeOfArray } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  readSafetensors,
  type Safetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from '../io/safetensors';
import { withElementBudget } from '../nn/initialization';
import type { Module } from '../nn/module';
import { build } from '../nn/registry';
import { formatShape, sameShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor/tensor';

const format = 'flow-kernels';
const version = '2';
const readable = ['1', version];

export interface ModelFileOptions {
  /** Further metadata; the keys format, version and config are taken. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const fileTypes: Record<DType, SafetensorsTensor['dtype']> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  uint8: 'U8',
};

/** A tensor as an entry of a safetensors file. */
export function fileTensor(tensor: Tensor): SafetensorsTensor {
  return { dtype: fileTypes[tensor.dtype], shape: [...tensor.shape], data: tensor.dataSync() };
}

/** Parameters and state of a module by their paths. */
export function namedTensors(module: Module): Map<string, Tensor> {
  return new Map([...module.namedParameters(), ...module.namedState()]);
}

/**
 * The metadata by which a file is known as a model.
 *
 * @throws FlowError ARGUMENT where the config has a number that JSON has not: the model could not be built again
 */
export function modelMetadata(module: Module): Record<string, string> {
  const config = JSON.stringify(module.config(), (key, value: unknown) => {
    if (typeof value !== 'number' || Number.isFinite(value)) return value;
    throw new FlowError(
      'ARGUMENT',
      expected(
        'save',
        `${module.config().kind}: ${key}`,
        'a finite number, as JSON has them',
        String(value),
        'build the model with a finite number',
      ),
    );
  });
  return { format, version, config };
}

/** The config in a file's metadata, in the words of this version. @throws SyntaxError where it is no JSON */
export function configOf(metadata: Readonly<Record<string, string>>): unknown {
  return JSON.parse(metadata['config'] ?? '', (_key, value) => {
    if (metadata['version'] !== '1' || value?.kind !== 'columns') return value;
    const { transforms: transformed, ...split } = value;
    return { ...split, transformed };
  });
}

/** Writes a module, atomically: the file is the old one or the new one, never half of it. */
export async function saveModule(
  module: Module,
  path: string,
  options: ModelFileOptions = {},
): Promise<void> {
  const tensors = new Map(
    [...namedTensors(module)].map(([name, tensor]) => [name, fileTensor(tensor)]),
  );
  const metadata = { ...options.metadata, ...modelMetadata(module) };
  await writeSafetensors(path, tensors, metadata, { integrity: true });
}

/** Copies the values of a file's tensors into those of the module. Every one must be there, in its shape and type. */
export function fillTensors(
  path: string,
  into: ReadonlyMap<string, Tensor>,
  from: ReadonlyMap<string, SafetensorsTensor>,
): void {
  const writes: (() => void)[] = [];
  for (const [name, tensor] of into) {
    const found = from.get(name);
    if (!found) {
      throw new FlowError(
        'FORMAT',
        expected('load', `${path}: ${name}`, 'a tensor', 'none', 'the file is of another model'),
      );
    }
    if (
      !sameShape(found.shape, tensor.shape) ||
      found.dtype !== fileTypes[tensor.dtype] ||
      found.data instanceof BigInt64Array
    ) {
      throw new FlowError(
        'FORMAT',
        expected(
          'load',
          `${path}: ${name}`,
          `${tensor.dtype} of shape ${formatShape(tensor.shape)}`,
          `${dtypeOfArray(found.data) ?? found.dtype} of shape ${formatShape(found.shape)}`,
          'the file is of another model',
        ),
      );
    }
    const { data } = found;
    writes.push(() => tensor.write(data));
  }
  // Only when all fit: a model is never left half filled.
  for (const write of writes) write();
}

/** The module that a file describes, from its already parsed content. */
function moduleOf(path: string, file: Safetensors): Module {
  const { metadata, tensors } = file;
  if (metadata['format'] !== format) {
    throw new FlowError(
      'FORMAT',
      expected(
        'load',
        path,
        `a model file (format ${format})`,
        `format ${metadata['format'] ?? 'none'}`,
        'pass a file written by save()',
      ),
    );
  }
  if (!readable.includes(metadata['version'] ?? '')) {
    throw new FlowError(
      'FORMAT',
      expected(
        'load',
        path,
        `version ${readable.join(' or ')}`,
        String(metadata['version']),
        'use the library version that wrote it',
      ),
    );
  }
  let elements = 0;
  for (const tensor of tensors.values()) elements += sizeOf(tensor.shape);
  let module: Module;
  try {
    // Degrees and extents of masks are not in the file, so the budget has room for them.
    module = withElementBudget(2 * elements + 65536, () => build(configOf(metadata)));
  } catch (cause) {
    if (cause instanceof FlowError && cause.code === 'FORMAT') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FlowError(
      'FORMAT',
      expected(
        'load',
        `${path}: config`,
        'a description of a model',
        reason,
        'the file is damaged',
      ),
      { cause },
    );
  }
  try {
    const own = namedTensors(module);
    fillTensors(path, own, tensors);
    for (const name of tensors.keys()) {
      if (!own.has(name) && !name.startsWith('training/')) {
        throw new FlowError(
          'FORMAT',
          expected(
            'load',
            `${path}: ${name}`,
            'no such tensor',
            'one',
            'the file is of another model',
          ),
        );
      }
    }
    return module;
  } catch (error) {
    module.dispose();
    throw error;
  }
}

/** Reads a module. @throws FlowError FILE, FORMAT */
async function loadModule(path: string): Promise<Module> {
  return moduleOf(path, await readSafetensors(path));
}

/**
 * Reads a module that must be of one kind.
 *
 * @param what its name in a sentence: 'a flow'
 * @throws FlowError FILE, FORMAT
 */
export async function loadModuleOf<M extends Module>(
  where: string,
  path: string,
  what: string,
  isOne: (module: Module) => module is M,
): Promise<M> {
  const module = await loadModule(path);
  if (isOne(module)) return module;
  const { kind } = module.config();
  module.dispose();
  const remedy = 'load it with its own class';
  throw new FlowError('FORMAT', expected(where, path, what, `a ${kind}`, remedy));
}

/**
 * What `load` of a class does.
 *
 * @param what its name in a sentence: 'a flow'
 * @throws FlowError FILE, FORMAT
 */
export async function loadAs<C extends abstract new (...options: never[]) => Module>(
  kind: C,
  path: string,
  what: string,
): Promise<InstanceType<C>> {
  const isOne = (module: Module): module is InstanceType<C> => module instanceof kind;
  return loadModuleOf(`${kind.name}.load`, path, what, isOne);
}
