/**
 * Checkpoints: the model file with everything beside it that training needs to go on, bit for bit, as if it had never
 * stopped.
 *
 * One safetensors file. Under their own names stand the weights that a user wants — the best so far — so that
 * `Flow.load` takes a checkpoint as a model; under `training/` the weights of the latest step, the optimizer, the moving
 * average and the random state; in the metadata, under `training`, the numbers as JSON.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ActivationMemory, isActivationMemory } from '../bijections/activations';
import { expected, FlowError } from '../errors';
import { configOf, fileTensor, fillTensors, modelMetadata, namedTensors } from '../flows/modelFile';
import { readSafetensors, type Safetensors, writeSafetensors } from '../io/safetensors';
import type { Module } from '../nn/module';
import type { Tensor } from '../tensor/tensor';
import type { EpochRecord } from './history';
import type { Learner } from './step';

const version = 2;

/** Where training stands, besides tensors; R: a record of its history. */
export interface Progress<R = EpochRecord> {
  /** Finished epochs. */
  epoch: number;
  /** Steps taken. */
  step: number;
  /** Steps of the current epoch taken, or since the last record. */
  position: number;
  /** Rows of the current epoch trained, and the seconds that it took. */
  epochRows: number;
  epochSeconds: number;
  /** Whole time of training. */
  seconds: number;
  /** Epochs since the best one. */
  waited: number;
  history: R[];
}

/** Before the first step. */
export function startingProgress<R>(): Progress<R> {
  return {
    epoch: 0,
    step: 0,
    position: 0,
    epochRows: 0,
    epochSeconds: 0,
    seconds: 0,
    waited: 0,
    history: [],
  };
}

/** The same with what stands in the memory plan. */
export interface SavedProgress<R = EpochRecord> extends Progress<R> {
  readonly memory: ActivationMemory;
  readonly drift: number;
}

/** What must be the same for a training to go on. */
export type Setup = Readonly<Record<string, string | number | boolean | null>>;

/** Named groups of tensors: `training/<group>/<name>` in the file. */
export type Groups = ReadonlyMap<string, ReadonlyMap<string, Tensor>>;

/** All tensors that a training changes. */
export function trainingGroups(model: Module, learner: Learner): Groups {
  const { optimizer, average, stream, lossSum } = learner;
  const groups = new Map<string, ReadonlyMap<string, Tensor>>([
    ['weights', weightsOf(model)],
    ['optimizer', optimizer.state],
    ['random', new Map([['noise', stream.state]])],
    ['loss', new Map([['sum', lossSum]])],
  ]);
  if (average) groups.set('average', average.state);
  return groups;
}

const prefix = 'training/';

/**
 * Writes a checkpoint, atomically.
 *
 * @param best parameters and state to stand under their own names
 */
export async function writeCheckpoint<R>(
  path: string,
  model: Module,
  best: ReadonlyMap<string, Tensor>,
  groups: Groups,
  progress: SavedProgress<R>,
  setup: Setup,
): Promise<void> {
  const tensors = new Map([...best].map(([name, tensor]) => [name, fileTensor(tensor)]));
  for (const [group, members] of groups)
    for (const [name, tensor] of members)
      tensors.set(`${prefix}${group}/${name}`, fileTensor(tensor));
  const training = JSON.stringify({ version, setup, progress });
  const metadata = { ...modelMetadata(model), training };
  await writeSafetensors(path, tensors, metadata, { integrity: true });
}

export interface Checkpoint<R> {
  readonly progress: SavedProgress<R>;
  /** Whether a group is in the file. */
  has(group: string): boolean;
  /** Copies the values of a group into tensors. @throws FlowError FORMAT */
  fill(group: string, into: ReadonlyMap<string, Tensor>): void;
  /** Copies the weights that stand under their own names. */
  fillBest(into: ReadonlyMap<string, Tensor>): void;
}

type Metadata = Readonly<Record<string, string>>;

/** Whether both describe the same model, in whatever order: an earlier version wrote another one. */
function sameModel(a: Metadata, b: Metadata): boolean {
  try {
    return isDeepStrictEqual(configOf(a), configOf(b));
  } catch {
    return false;
  }
}

/**
 * Reads a checkpoint of this model and this training.
 *
 * @throws FlowError FILE; FORMAT where the file is no checkpoint or of another model; ARGUMENT where an option is not
 *   that of the training to go on with
 */
export async function readCheckpoint<R = EpochRecord>(
  path: string,
  model: Module,
  setup: Setup,
): Promise<Checkpoint<R>> {
  const file = await readSafetensors(path);
  const { metadata, tensors } = file;
  const state = parse<R>(path, file);
  if (!sameModel(metadata, modelMetadata(model))) {
    throw new FlowError(
      'FORMAT',
      expected(
        'resume',
        path,
        'a checkpoint of this model',
        'one of another model',
        'build the model with the same options',
      ),
    );
  }
  for (const [key, value] of Object.entries(setup)) {
    if (state.setup[key] === value) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(
        'resume',
        key,
        `${JSON.stringify(state.setup[key])}, as in ${path}`,
        JSON.stringify(value),
        'go on with the data and options of the checkpoint, or start anew',
      ),
    );
  }
  return {
    progress: state.progress,
    has: (group) => [...tensors.keys()].some((name) => name.startsWith(`${prefix}${group}/`)),
    fill: (group, into) => {
      const from = new Map(
        [...tensors]
          .filter(([name]) => name.startsWith(`${prefix}${group}/`))
          .map(([name, tensor]) => [name.slice(prefix.length + group.length + 1), tensor]),
      );
      fillTensors(path, into, from);
    },
    fillBest: (into) => fillTensors(path, into, tensors),
  };
}

function parse<R>(
  path: string,
  { metadata }: Safetensors,
): { setup: Setup; progress: SavedProgress<R> } {
  try {
    const found = JSON.parse(metadata['training'] ?? '') as {
      version: number;
      setup: Setup;
      progress: SavedProgress<R>;
    };
    const { progress } = found;
    const counts = [progress.epoch, progress.step, progress.position, progress.waited];
    const good =
      counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
      isActivationMemory(progress.memory) &&
      progress.drift >= 0;
    if (found.version === version && good && Array.isArray(progress.history)) return found;
  } catch {
    // Reported below.
  }
  throw new FlowError(
    'FORMAT',
    expected(
      'resume',
      path,
      `a checkpoint of version ${version}`,
      metadata['training'] === undefined ? 'a file without one' : 'another or a damaged one',
      'pass a file that the same training wrote',
    ),
  );
}

/** Parameters and state of a model by their paths. */
export const weightsOf = namedTensors;
