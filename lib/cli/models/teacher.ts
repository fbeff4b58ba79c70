/** What a student learns from: the model of `train --teacher`, and data in its form. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { namedTensors } from '../../flows/modelFile';
import { bytesOf } from '../../io/bytes';
import { loadModel, WaveNet } from '../../models';
import { type Dataset, readDatasetFor, readDescription } from '../dataset';
import { modelPath, type RunFiles } from '../folder';
import type { TrainOptions } from '../grammar/train';
import { holdsSound } from '../sound';
import { UsageError } from '../status';

export interface Teacher {
  readonly net: WaveNet;
  /** SHA-256 of what it is: a run goes on with the same teacher only. */
  readonly fingerprint: string;
}

const wanted = 'a WaveNet of train --model wavenet --likelihood normal or logistic';

/** Null where the model has none. @throws UsageError; FlowError FILE, FORMAT */
export async function readTeacher(options: TrainOptions, files: RunFiles): Promise<Teacher | null> {
  if (options.model !== 'parallel-wavenet') return null;
  const { teacher } = options;
  if (teacher === undefined) {
    throw new UsageError(
      `--model parallel-wavenet learns from another model: pass --teacher with ${wanted}`,
    );
  }
  const path = await modelPath(teacher);
  if (resolve(dirname(path)) === resolve(files.folder)) {
    throw new UsageError(`--out ${files.folder}: the teacher is there: choose another folder`);
  }
  const net = await loadModel(path);
  try {
    if (!(net instanceof WaveNet)) {
      throw new UsageError(
        `--teacher ${teacher}: it is a model of kind ${net.config().kind}: give ${wanted}`,
      );
    }
    if (net.likelihood.kind === 'categorical') {
      throw new UsageError(
        `--teacher ${teacher}: its likelihood is categorical, and levels have no gradient: give ${wanted}`,
      );
    }
    return { net, fingerprint: fingerprintOf(net) };
  } catch (error) {
    net.dispose();
    throw error;
  }
}

function fingerprintOf(net: WaveNet): string {
  const hash = createHash('sha256').update(JSON.stringify(net.config()));
  for (const tensor of namedTensors(net).values()) hash.update(bytesOf(tensor.dataSync()));
  return hash.digest('hex');
}

/** The options of a student, its numbers of the teacher's type. @throws UsageError where another is asked for */
export function optionsOfStudent(
  options: TrainOptions,
  given: Partial<TrainOptions>,
  { dtype }: WaveNet,
): TrainOptions {
  if (given.dtype !== undefined && given.dtype !== dtype) {
    throw new UsageError(`--dtype ${given.dtype}: the teacher is of ${dtype}: leave it out`);
  }
  if (given.patience !== undefined) {
    throw new UsageError(
      '--patience: what --model parallel-wavenet says of held-out rows does not end its training: leave it out',
    );
  }
  return { ...options, dtype };
}

/** The data as the teacher was trained on, but sound as numbers. @throws UsageError; FlowError as readDatasetFor */
export async function readForStudent(
  path: string,
  options: TrainOptions,
  net: WaveNet,
): Promise<Dataset> {
  const { sound } = readDescription(net.description);
  if (holdsSound(path) !== (sound !== null)) {
    const [its, ours] = sound ? ['sound', 'a table'] : ['a table', 'sound'];
    throw new UsageError(
      `--teacher ${options.teacher}: it was trained on ${its}, ${path} is ${ours}`,
    );
  }
  if (sound === null && net.likelihood.kind === 'logistic') {
    throw new UsageError(
      `--teacher ${options.teacher}: its table is of levels, and a student draws numbers: give one of --likelihood normal`,
    );
  }
  const { description } = net;
  const asNumbers = sound && { sound: JSON.stringify({ ...sound, encoding: 'none' }) };
  const { contextFeatures } = net;
  const features = (sound && options.window) ?? net.features;
  const model = { features, contextFeatures, description: { ...description, ...asNumbers } };
  return await readDatasetFor(path, model, options);
}
