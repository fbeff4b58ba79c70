/** `flow-kernels train`: from a data file to a run folder. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { expected, FlowError } from '../errors';
import { bytesOf } from '../io/bytes';
import type { GenerativeModel, WaveNet } from '../models';
import { withoutUndefined } from '../nn/module';
import { setThreads } from '../runtime';
import { adam, cosine, linearWarmup, type Schedule } from '../train';
import { type Dataset, describeData, readDataset, readDatasetFor } from './dataset';
import {
  freshFolder,
  makeFolder,
  mergeOptions,
  type RunFiles,
  type RunRecord,
  readRunRecord,
  refuseUsedFolder,
  runFiles,
  writeRunRecord,
} from './folder';
import type { TrainOptions } from './grammar/train';
import { buildModel, modelDefaults, modelLoss, modelPreprocess, modelSelects } from './models';
import { optionsOfStudent, readForStudent, readTeacher, type Teacher } from './models/teacher';
import { optionsOfSound } from './models/wavenet';
import {
  buildPreprocess,
  choosePreprocess,
  type Preprocess,
  prepareRows,
  standardizedContext,
  warningsAbout,
} from './preprocess';
import { holdsSound } from './sound';
import { epochsWithin } from './speed';
import { type Parts, splitDataset } from './split';
import { type Terminal, UsageError, write } from './status';
import { shellWord } from './text';
import { runTraining } from './training';

/** The options with what suits the data where they say nothing. */
interface Plan extends TrainOptions {
  readonly hidden: number[];
  readonly batchSize: number;
  readonly lr: number;
  readonly schedule: NonNullable<TrainOptions['schedule']>;
  readonly epochs: number;
  readonly patience: number;
  readonly clipNorm: number;
}

export async function train(
  terminal: Terminal,
  command: string,
  data: string | undefined,
  options: TrainOptions,
  given: Partial<TrainOptions>,
): Promise<number> {
  if (options.resume && options.force) throw new UsageError('choose one of --resume and --force');
  if (options.resume && options.out === undefined) {
    throw new UsageError('--resume needs --out with the folder of the run');
  }
  if (!options.resume && data === undefined)
    throw new UsageError('train: the data file is missing');
  const files = runFiles(options.out ?? freshFolder(data as string, options.model));
  const record = options.resume ? await readRunRecord(files) : null;
  let chosen = withAbsolutePaths(record ? mergeOptions(record, withAbsolutePaths(given)) : options);
  if (!record) refuseUsedFolder(files, options.force ?? false);
  if (chosen.threads) setThreads(chosen.threads);

  const path = data ?? (record as { data: string }).data;
  const teacher = await readTeacher(chosen, files);
  try {
    if (teacher) chosen = optionsOfStudent(chosen, given, teacher.net);
    else if (chosen.model === 'wavenet' && holdsSound(path)) chosen = optionsOfSound(chosen);
    return await trainOn(terminal, { command, path, options: chosen, files, record, teacher });
  } finally {
    teacher?.net.dispose();
  }
}

/** One run, its options complete but for what suits the data. */
interface Run {
  readonly command: string;
  readonly path: string;
  readonly options: TrainOptions;
  readonly files: RunFiles;
  /** Of the run that goes on. */
  readonly record: RunRecord | null;
  readonly teacher: Teacher | null;
}

async function trainOn(terminal: Terminal, run: Run): Promise<number> {
  const { command, path, options: chosen, files, record, teacher } = run;
  const net = teacher?.net ?? null;
  const raw = net ? await readForStudent(path, chosen, net) : await readDataset(path, chosen);
  const preprocess = modelPreprocess(chosen, raw.image) ?? choosePreprocess(chosen, raw);
  const parts = await partsOf(raw, chosen, preprocess);
  const fingerprint = fingerprintOf(parts);
  if (record) {
    requireSame(path, 'data', record.fingerprint === fingerprint);
    requireSame(`${chosen.teacher}`, 'teacher', record.teacher === teacher?.fingerprint);
  }
  if (!chosen.quiet) {
    for (const warning of warningsAbout(parts.train, preprocess, chosen.dtype)) {
      terminal.stderr.write(`warning: ${warning}\n`);
    }
  }
  const build = () => buildFlow(chosen, preprocess, parts.train, net);
  const plan = await completePlan(chosen, parts.train, build, net);
  await makeFolder(files.folder);
  if (!record) {
    const started = { data: resolve(path), fingerprint, options: recorded(plan) };
    await writeRunRecord(files, { ...started, ...(teacher && { teacher: teacher.fingerprint }) });
  }
  const flow = build();
  try {
    const outcome = await runTraining(terminal, {
      command,
      flow,
      parts,
      kind: chosen.model,
      preprocessing: inWords(preprocess),
      files,
      settings: { ...recorded(plan) },
      fit: fitOptions(plan, files, record !== null, net),
      selects: modelSelects(plan),
      quiet: plan.quiet ?? false,
      ...(plan.importance && { importance: plan.importance }),
      resumeCommand: `flow-kernels train --resume --out ${shellWord(files.folder)}`,
    });
    if (outcome.report && chosen.json) {
      await write(terminal.stdout, `${JSON.stringify(outcome.report, null, 2)}\n`);
    }
    return outcome.status;
  } finally {
    flow.dispose();
  }
}

/** @throws FlowError DATA where a run would go on with something else */
function requireSame(path: string, what: string, same: boolean): void {
  if (same) return;
  throw new FlowError(
    'DATA',
    expected(
      'train --resume',
      path,
      `the ${what} that the run was started with`,
      'other numbers',
      `go on with the same ${what}, or start another run`,
    ),
  );
}

/** Training, validation and test parts: fractions of the file, or files of their own; as the flow takes them. */
async function partsOf(
  raw: Dataset,
  options: TrainOptions,
  preprocess: Preprocess,
): Promise<Parts> {
  const input = {
    dequantization:
      'levels' in preprocess && preprocess.levels ? { levels: preprocess.levels } : null,
    unitInterval: preprocess.kind === 'logit' || preprocess.kind === 'bits',
  };
  const { validation = 0.1, test = 0 } = options;
  const fraction = (part: number | string) => (typeof part === 'number' ? part : 0);
  // Values are checked before the split, so that an error names the row of the file.
  const split = splitDataset(
    prepareRows(raw, input),
    { validation: fraction(validation), test: fraction(test) },
    options.seed,
  );
  const model = {
    features: raw.rows.cols,
    contextFeatures: raw.context?.cols ?? 0,
    description: describeData(raw, options),
  };
  const read = async (part: number | string, own: Dataset | null) =>
    typeof part === 'string'
      ? prepareRows(await readDatasetFor(part, model, withoutColumns(options)), input)
      : own;
  return {
    train: split.train,
    validation: await read(validation, split.validation),
    test: await read(test, split.test),
  };
}

/** Files by their full paths: a run may go on from another folder. */
function withAbsolutePaths<T extends Partial<TrainOptions>>(options: T): T {
  const paths = Object.entries(options).filter(
    ([key, value]) =>
      ['validation', 'test', 'labels', 'teacher'].includes(key) && typeof value === 'string',
  );
  const resolved = paths.map(([key, value]) => [key, resolve(value as string)]);
  return { ...options, ...Object.fromEntries(resolved) };
}

/** Other files are read by the names that the training file gave. */
function withoutColumns(options: TrainOptions) {
  const { columns: _columns, exclude: _exclude, contextColumns: _context, ...rest } = options;
  return rest;
}

function fingerprintOf(parts: Parts): string {
  const hash = createHash('sha256');
  for (const part of [parts.train, parts.validation, parts.test]) {
    hash.update(part ? `${part.rows.rows} x ${part.rows.cols};` : 'none;');
    if (part) hash.update(bytesOf(part.rows.data));
    if (part?.context) hash.update(bytesOf(part.context.data));
  }
  return hash.digest('hex');
}

function buildFlow(
  options: TrainOptions,
  preprocess: Preprocess,
  trainPart: Dataset,
  teacher: WaveNet | null,
): GenerativeModel {
  const input = {
    features: trainPart.rows.cols,
    contextFeatures: trainPart.context?.cols ?? 0,
    image: trainPart.image,
    ...buildPreprocess(preprocess, trainPart, options.dtype),
    contextPreprocessing: options.preprocess ? standardizedContext(trainPart, options.dtype) : null,
    description: describeData(trainPart, options),
  };
  return buildModel(options, input, teacher);
}

async function completePlan(
  options: TrainOptions,
  trainPart: Dataset,
  build: () => GenerativeModel,
  teacher: WaveNet | null,
): Promise<Plan> {
  const image = trainPart.image !== null;
  const { batchSize: usual = image ? 128 : 256, ...defaults } = modelDefaults(options, image);
  const batchSize = Math.min(options.batchSize ?? usual, trainPart.rows.rows);
  const plan = {
    ...defaults,
    ...withoutUndefined(options),
    batchSize,
    lr: options.lr ?? 1e-3,
    schedule: options.schedule ?? ('cosine' as const),
    epochs: options.epochs ?? 100,
    patience: options.patience ?? 20,
    clipNorm: options.clipNorm ?? 10,
  };
  const { timeLimit, epochs, steps } = options;
  // A schedule that ends with the time that there is scores better than one that is cut off.
  const loss = modelLoss(options, teacher);
  const overhead = loss && modelSelects(options) ? 0.5 : 0.1;
  if (timeLimit && epochs === undefined && steps === undefined && plan.schedule !== 'constant') {
    plan.epochs = Math.min(
      plan.epochs,
      await epochsWithin(0.9 * timeLimit, build, trainPart, batchSize, loss, overhead),
    );
  }
  return plan;
}

/** What a later --resume needs: all but what belongs to one call. */
function recorded(plan: Plan): TrainOptions {
  const { out: _o, resume: _r, force: _f, json: _j, quiet: _q, ...rest } = plan;
  return rest;
}

function scheduleOf(plan: Plan): Schedule | null {
  if (plan.schedule === 'constant') return null;
  const whole = plan.steps ? { steps: plan.steps } : { epochs: plan.epochs };
  if (plan.schedule === 'cosine') return cosine(whole);
  const part = (share: number) =>
    plan.steps ? { steps: share * plan.steps } : { epochs: share * plan.epochs };
  return linearWarmup(part(0.2), cosine(part(0.8)));
}

function fitOptions(plan: Plan, files: RunFiles, resume: boolean, teacher: WaveNet | null) {
  const schedule = scheduleOf(plan);
  const loss = modelLoss(plan, teacher);
  return {
    // log p is then another computation, and may take longer than the epoch.
    ...(loss && { loss, validateEvery: 5 }),
    batchSize: plan.batchSize,
    epochs: plan.epochs,
    ...(plan.steps ? { steps: plan.steps } : {}),
    patience: plan.patience,
    optimizer: adam({ lr: plan.lr }),
    ...(schedule ? { schedule } : {}),
    clipNorm: plan.clipNorm,
    ...(plan.ema ? { ema: plan.ema } : {}),
    ...(plan.memory ? { memory: plan.memory } : {}),
    seed: plan.seed,
    ...(plan.timeLimit ? { timeLimitSeconds: plan.timeLimit } : {}),
    checkpoint: { path: files.checkpoint, everySeconds: plan.checkpointEvery },
    ...(resume ? { resume: files.checkpoint } : {}),
  };
}

function inWords(preprocess: Preprocess): string {
  if (preprocess.kind === 'none') return 'none';
  if (preprocess.kind === 'standardize') return 'mean 0 and deviation 1, column by column';
  if (preprocess.kind === 'logit') return `logit, λ = ${preprocess.lambda}`;
  if (preprocess.kind === 'integers') return `${preprocess.levels} levels`;
  if (preprocess.kind === 'bits')
    return preprocess.levels ? `${preprocess.levels} levels drawn as bits` : 'none';
  const { levels, lambda } = preprocess;
  const logit = lambda === null ? '' : `, logit with λ = ${lambda}`;
  return `${levels} levels dequantised, divided by ${levels}${logit}`;
}
