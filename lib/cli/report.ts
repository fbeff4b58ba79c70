/** report.json: what was trained on what, how, and what came out. */
import { cpus } from 'node:os';
import type { GenerativeModel } from '../models';
import { backends, getThreads } from '../runtime';
import type { EpochRecord, StopReason } from '../train';
import type { Dataset } from './dataset';
import { packageVersion } from './program';
import { grouped } from './text';

/** Mean log-likelihood of a part of the data. */
export interface Likelihood {
  readonly rows: number;
  /** Mean log p of a row: in the space after the preprocessing (which papers quote), and in the data's own units. */
  readonly nats: { readonly model: number; readonly data: number };
  /** Standard error of both means. */
  readonly standardError: number;
  /** −log p / (D·ln 2) in the data's units; for dequantised integers a bound on the bits of the integers. */
  readonly bitsPerDim: number;
  /** Of sequences: mean log p of one of their numbers, in the data's units. */
  readonly natsPerMoment?: number;
}

export interface Report {
  readonly command: string;
  readonly finished: string;
  readonly data: {
    readonly source: string;
    readonly rows: { readonly train: number; readonly validation: number; readonly test: number };
    readonly columns: readonly string[] | null;
    readonly contextColumns: readonly string[] | null;
    readonly image: readonly number[] | null;
    readonly droppedRows: number;
  };
  readonly model: {
    readonly kind: string;
    readonly features: number;
    readonly contextFeatures: number;
    readonly parameters: number;
    readonly dtype: string;
    readonly preprocessing: string;
  };
  /** The settings of the training as they were used, defaults filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly training: {
    readonly epochs: number;
    readonly steps: number;
    readonly seconds: number;
    readonly samplesPerSecond: number;
    readonly stoppedBecause: StopReason;
    /** The epoch whose weights were kept; null without validation. */
    readonly bestEpoch: number | null;
  };
  readonly validation: Likelihood | null;
  readonly test: Likelihood | null;
  readonly history: readonly EpochRecord[];
  readonly environment: {
    readonly flowKernels: string;
    readonly node: string;
    readonly platform: string;
    readonly cpu: string;
    readonly backend: string;
    readonly threads: number;
  };
}

/** What the process runs on. */
export function environment(): Report['environment'] {
  return {
    flowKernels: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    backend: backends()[0]?.description ?? 'cpu',
    threads: getThreads(),
  };
}

/** Elements of all parameters, with those that a mask holds at zero. */
export function countParameters(flow: GenerativeModel): number {
  return flow.parameters().reduce((sum, parameter) => sum + parameter.size, 0);
}

export function describeDataset(
  train: Dataset,
  validation: Dataset | null,
  test: Dataset | null,
): Report['data'] {
  return {
    source: train.source,
    rows: {
      train: train.rows.rows,
      validation: validation?.rows.rows ?? 0,
      test: test?.rows.rows ?? 0,
    },
    columns: train.columns,
    contextColumns: train.contextColumns,
    image: train.image,
    droppedRows: train.droppedRows,
  };
}

/** −1300.52 ± 1.10 nats, 1.234 bits/dim (logit space …). */
export function likelihoodLine(name: string, likelihood: Likelihood): string {
  const { nats, standardError, bitsPerDim, natsPerMoment, rows } = likelihood;
  // One row has no spread.
  const error = Number.isFinite(standardError) ? ` ± ${standardError.toFixed(2)}` : '';
  const moment = natsPerMoment === undefined ? '' : ` (${natsPerMoment.toFixed(4)} a moment)`;
  return (
    `${name}: ${nats.model.toFixed(2)}${error} nats in the model's space, ` +
    `${nats.data.toFixed(2)} in the data's units${moment}, ${bitsPerDim.toFixed(3)} bits/dim (${grouped(rows)} rows)`
  );
}
