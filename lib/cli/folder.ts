/** The run folder: what is where, and the options that a run was started with. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expected, FlowError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { fileError } from '../io/file';
import type { TrainOptions } from './grammar/train';
import { UsageError } from './status';

export interface RunFiles {
  readonly folder: string;
  readonly model: string;
  readonly checkpoint: string;
  readonly options: string;
  readonly report: string;
  readonly curves: string;
  readonly samples: string;
}

/** The files of a run folder. */
export function runFiles(folder: string): RunFiles {
  return {
    folder,
    model: join(folder, 'model.safetensors'),
    checkpoint: join(folder, 'checkpoint.safetensors'),
    options: join(folder, 'run.json'),
    report: join(folder, 'report.json'),
    curves: join(folder, 'curves.svg'),
    samples: join(folder, 'samples.png'),
  };
}

/** What a run was started with: enough to go on. */
export interface RunRecord {
  readonly data: string;
  /** SHA-256 of the numbers that were read: another file cannot take the run over. */
  readonly fingerprint: string;
  /** SHA-256 of the teacher, of a run that has one. */
  readonly teacher?: string;
  readonly options: TrainOptions;
}

/** Makes a folder with all above it. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw fileError('train', folder, 'a folder that can be made', cause);
  });
}

/** The first of runs/NAME, runs/NAME-2, … that is not there. */
export function freshFolder(data: string, model: string): string {
  const stem = basename(data)
    .replace(/\.gz$/i, '')
    .replace(/\.[^.]+$/, '');
  const base = join('runs', `${stem || 'data'}-${model}`);
  for (let k = 1; ; k++) {
    const folder = k === 1 ? base : `${base}-${k}`;
    if (!existsSync(folder)) return folder;
  }
}

/** Refuses to write over an earlier run. */
export function refuseUsedFolder(files: RunFiles, force: boolean): void {
  if (force) return;
  const found = [files.model, files.checkpoint].find(existsSync);
  if (!found) return;
  throw new FlowError(
    'FILE',
    expected(
      'train',
      files.folder,
      'a folder without a run',
      basename(found),
      'pass --resume to go on with it, --force to start anew, or another --out',
    ),
  );
}

export async function writeRunRecord(files: RunFiles, record: RunRecord): Promise<void> {
  await writeFileAtomic(files.options, `${JSON.stringify(record, null, 2)}\n`);
}

/** Reads what a run was started with. @throws FlowError FILE, FORMAT where there is nothing to go on with */
export async function readRunRecord(files: RunFiles): Promise<RunRecord> {
  if (!existsSync(files.checkpoint) || !existsSync(files.options)) {
    const missing = existsSync(files.options) ? files.checkpoint : files.options;
    const sentence = expected(
      'train --resume',
      missing,
      'the checkpoint of an earlier run',
      'no such file',
      'check --out, or start without --resume',
    );
    throw new FlowError('FILE', sentence);
  }
  const text = await readFile(files.options, 'utf8');
  try {
    const record = JSON.parse(text) as Partial<RunRecord>;
    if (typeof record.data === 'string' && typeof record.options === 'object') {
      return record as RunRecord;
    }
  } catch {
    // The same as a record that lacks its parts.
  }
  const sentence = expected(
    'train --resume',
    files.options,
    'the options of a run',
    'something else',
    'the file is damaged: start without --resume',
  );
  throw new FlowError('FORMAT', sentence);
}

/** Options that may change when a run goes on; all others would make it another run. */
const changeable: readonly (keyof TrainOptions)[] = [
  'epochs',
  'steps',
  'patience',
  'timeLimit',
  'threads',
  'checkpointEvery',
  'json',
  'quiet',
  'out',
  'resume',
  'force',
];

/**
 * The options of a run that goes on: those it was started with, and over them what was given now.
 *
 * @param given the options that stand on the command line now, without defaults
 */
export function mergeOptions(record: RunRecord, given: Partial<TrainOptions>): TrainOptions {
  for (const [key, value] of Object.entries(given)) {
    if (changeable.includes(key as keyof TrainOptions)) continue;
    const before = record.options[key as keyof TrainOptions];
    if (JSON.stringify(before) === JSON.stringify(value)) continue;
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(
      `--${flag}: the run was started with ${before === undefined ? 'its default' : JSON.stringify(before)}, and --resume goes on with the same: leave the option out, or start another run`,
    );
  }
  return { ...record.options, ...given };
}

/** The model file of a path that may be a run folder. */
export async function modelPath(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() ? runFiles(path).model : path;
}
