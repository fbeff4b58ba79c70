/** One training run: progress, interruption, and everything that it leaves in the run folder. */
import type { GenerativeModel } from '../models';
import { SequenceModel } from '../models/wave/sequenceModel';
import { evaluate, type FitOptions, type FitResult, fit, type StepInfo } from '../train';
import type { Dataset } from './dataset';
import type { RunFiles } from './folder';
import { watchInterrupts } from './interrupts';
import { writeCurves, writeJson, writeSampleSheet } from './outputs';
import { type Display, openDisplay } from './progress';
import {
  countParameters,
  describeDataset,
  environment,
  type Likelihood,
  likelihoodLine,
  type Report,
} from './report';
import type { Parts } from './split';
import { exitStatus, type Terminal } from './status';
import { duration, grouped, lossText } from './text';

export interface Job {
  readonly command: string;
  readonly flow: GenerativeModel;
  /** Prepared: as the flow takes them. */
  readonly parts: Parts;
  readonly kind: string;
  readonly preprocessing: string;
  readonly files: RunFiles;
  readonly settings: Report['settings'];
  readonly fit: Pick<
    FitOptions,
    | 'batchSize'
    | 'epochs'
    | 'steps'
    | 'loss'
    | 'patience'
    | 'validateEvery'
    | 'optimizer'
    | 'schedule'
    | 'clipNorm'
    | 'ema'
    | 'memory'
    | 'seed'
    | 'timeLimitSeconds'
    | 'checkpoint'
    | 'resume'
  >;
  readonly quiet: boolean;
  /** Whether the held-out rows say which epoch is best; else they are scored at the end. Default true. */
  readonly selects?: boolean;
  /** Draws by which a bound is made tight in the report. */
  readonly importance?: number;
  /** How to go on after an interruption; null where no checkpoint is kept. */
  readonly resumeCommand: string | null;
}

export interface Outcome {
  readonly status: number;
  /** Null where the run was interrupted. */
  readonly report: Report | null;
}

/** The rows as the library takes them, with names for its errors. */
export function rowsOf(dataset: Dataset) {
  const { columns, source } = dataset;
  return { ...dataset.rows, source, ...(columns ? { columns: [...columns] } : {}) };
}

/** Trains, evaluates and writes the run folder. */
export async function runTraining(terminal: Terminal, job: Job): Promise<Outcome> {
  const { flow, parts, files } = job;
  const display = openDisplay(terminal, job.quiet);
  const interrupts = watchInterrupts(terminal);
  let result: FitResult;
  try {
    const track = trackProgress(job, display);
    const held = job.selects === false ? null : parts.validation;
    result = await fit(flow, rowsOf(parts.train), {
      ...job.fit,
      context: parts.train.context,
      validation: held ? rowsOf(held) : null,
      validationContext: held?.context ?? null,
      signal: interrupts.signal,
      onWarning: (warning) => {
        if (!job.quiet) terminal.stderr.write(`warning: ${warning}\n`);
      },
      ...track,
    });
  } finally {
    display.stop();
    interrupts.release();
  }
  const status = interrupts.status();
  if (status !== null) {
    const { epochs, steps } = result;
    const next = job.resumeCommand ? `; go on with: ${job.resumeCommand}` : '';
    terminal.stderr.write(`stopped after ${grouped(steps)} steps (${epochs} epochs)${next}\n`);
    return { status, report: null };
  }
  const report = await makeReport(job, result);
  await flow.save(files.model, { metadata: { run: JSON.stringify(factsOf(report)) } });
  await writeJson(files.report, report);
  await writeCurves(files.curves, report.history);
  if (parts.train.image) await writeSampleSheet(files.samples, flow, parts.train.image);
  tell(terminal, job, report);
  return { status: exitStatus.ok, report };
}

/** The callbacks of `fit` that feed the display. */
export function trackProgress(job: Job, display: Display): Pick<FitOptions, 'onStep' | 'onEpoch'> {
  const { epochs = Infinity, steps = Infinity, timeLimitSeconds = Infinity } = job.fit;
  const rows = job.parts.train.rows.rows;
  const batch = Math.min(job.fit.batchSize ?? 100, rows);
  let first: number | null = null;
  let loss: number | null = null;
  let validation: string | null = null;
  const onStep = (step: StepInfo) => {
    first ??= step.step - 1;
    loss = loss === null ? step.loss : loss + 0.05 * (step.loss - loss);
    const total = Math.min(steps, epochs * step.stepsPerEpoch);
    const taken = step.step - first;
    const perStep = step.seconds / taken;
    const left = Math.min((total - step.step) * perStep, timeLimitSeconds - step.seconds);
    const fraction = Math.max(step.step / total, step.seconds / timeLimitSeconds);
    display.update({
      fraction: Number.isFinite(left) ? fraction : step.stepInEpoch / step.stepsPerEpoch,
      epoch: Number.isFinite(epochs) ? `${step.epoch}/${epochs}` : String(step.epoch),
      loss,
      validation,
      samplesPerSecond: Math.min(batch, rows) / perStep,
      secondsLeft: Number.isFinite(left) ? left : null,
    });
  };
  return {
    onStep,
    onEpoch(epoch) {
      const { validationLogProbModel: nats, bitsPerDim, trainLoss, isBest } = epoch;
      // Not every epoch is validated: its line says only what is its own, the bar goes on saying the last one.
      const own =
        nats !== null && bitsPerDim !== null
          ? `${nats.toFixed(2)} nats ${bitsPerDim.toFixed(3)} bits/dim`
          : null;
      validation = own ?? validation;
      display.epoch(
        `epoch ${epoch.epoch}: loss ${lossText(trainLoss)}` +
          (own ? `, validation ${own}${isBest ? ' (best)' : ''}` : '') +
          `, ${Math.round(epoch.samplesPerSecond)} samples/s, ${duration(epoch.seconds)}`,
      );
    },
  };
}

async function likelihoodOf(job: Job, part: Dataset | null): Promise<Likelihood | null> {
  if (!part) return null;
  const context = part.context;
  const { flow, importance: samples = 1 } = job;
  const found = await evaluate(flow, rowsOf(part), { context, samples });
  return {
    rows: found.rows,
    nats: { model: found.logProbModel, data: found.logProb },
    standardError: found.standardError,
    bitsPerDim: found.bitsPerDim,
    ...(flow instanceof SequenceModel && { natsPerMoment: found.logProb / flow.features }),
  };
}

async function makeReport(job: Job, result: FitResult): Promise<Report> {
  const { flow, parts } = job;
  const { history, best } = result;
  const trained = history.reduce(
    (sum, epoch) => sum + parts.train.rows.rows / epoch.samplesPerSecond,
    0,
  );
  return {
    command: job.command,
    finished: new Date().toISOString(),
    data: describeDataset(parts.train, parts.validation, parts.test),
    model: {
      kind: job.kind,
      features: flow.features,
      contextFeatures: flow.contextFeatures,
      parameters: countParameters(flow),
      dtype: flow.dtype,
      preprocessing: job.preprocessing,
    },
    settings: job.settings,
    training: {
      // One that was cut short counts: it was trained on and validated.
      epochs: history.at(-1)?.epoch ?? 0,
      steps: result.steps,
      seconds: result.seconds,
      samplesPerSecond: trained > 0 ? (history.length * parts.train.rows.rows) / trained : 0,
      stoppedBecause: result.stoppedBecause,
      bestEpoch: best?.epoch ?? null,
    },
    validation: await likelihoodOf(job, parts.validation),
    test: await likelihoodOf(job, parts.test),
    history,
    environment: environment(),
  };
}

/** What the model file keeps of the report. */
function factsOf(report: Report): Record<string, unknown> {
  const { training, validation, test, data, environment: machine } = report;
  const { samplesPerSecond: _speed, ...trained } = training;
  return {
    command: report.command,
    finished: report.finished,
    rows: data.rows,
    training: trained,
    validation,
    test,
    flowKernels: machine.flowKernels,
  };
}

function tell(terminal: Terminal, job: Job, report: Report): void {
  if (job.quiet) return;
  const { training, validation, test } = report;
  const lines = [
    `trained ${training.epochs} epochs in ${duration(training.seconds)} ` +
      `(${grouped(training.samplesPerSecond)} samples/s), ended by ${training.stoppedBecause}`,
  ];
  if (validation) lines.push(likelihoodLine('validation', validation));
  if (test) lines.push(likelihoodLine('test', test));
  lines.push(`wrote ${job.files.folder}`);
  terminal.stderr.write(lines.map((line) => `${line}\n`).join(''));
}
