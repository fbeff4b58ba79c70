/** `flow-kernels score`: log p of each row. */
import { writeCsv } from '../data/writers/csv';
import { writeNpy } from '../data/writers/npy';
import { type GenerativeModel, loadModel } from '../models';
import { setThreads } from '../runtime';
import { type Dataset, readDatasetFor } from './dataset';
import { modelPath } from './folder';
import type { ScoreOptions } from './grammar/score';
import { outputKind, refuseOverwrite } from './outFile';
import { inputOf, prepareRows } from './preprocess';
import { exitStatus, type Terminal, UsageError, write } from './status';
import { grouped } from './text';

export async function score(
  terminal: Terminal,
  model: string,
  data: string,
  options: ScoreOptions,
): Promise<number> {
  const kind = options.out === undefined ? null : outputKind(options.out, ['csv', 'npy']);
  await refuseOverwrite(options.out, data);
  if (options.threads) setThreads(options.threads);
  const flow = await loadModel(await modelPath(model));
  try {
    const dataset = prepareRows(await readDatasetFor(data, flow, options), inputOf(flow));
    const scores = scoresOf(flow, dataset, options);
    const column = options.bitsPerDim ? 'bits_per_dim' : 'log_prob';
    const table = { data: scores, rows: scores.length, cols: 1, columns: [column] };
    if (kind === 'npy') await writeNpy(options.out!, { data: scores, shape: [scores.length] });
    else if (kind === 'csv') await writeCsv(options.out!, table);
    else await printColumn(terminal, column, scores);
    if (!options.quiet) terminal.stderr.write(summary(column, scores, options.out));
    return exitStatus.ok;
  } finally {
    flow.dispose();
  }
}

function scoresOf(flow: GenerativeModel, dataset: Dataset, options: ScoreOptions): Float64Array {
  const { importance } = options;
  if (importance !== undefined && !flow.importanceLogProb) {
    throw new UsageError('--importance is for models that bound log p: this one is exact');
  }
  const logProb = flow.logProb(dataset.rows, dataset.context, {
    space: options.bitsPerDim ? 'data' : options.space,
    seed: options.seed,
    ...(importance === undefined ? {} : { samples: importance }),
  });
  const scores = logProb.dataSync() as Float64Array;
  logProb.dispose();
  return options.bitsPerDim ? scores.map((score) => flow.bitsPerDim(score)) : scores;
}

async function printColumn(terminal: Terminal, name: string, values: Float64Array): Promise<void> {
  await write(terminal.stdout, `${name}\n`);
  for (let first = 0; first < values.length; first += 4096) {
    const lines = Array.from(values.subarray(first, first + 4096), String).join('\n');
    await write(terminal.stdout, `${lines}\n`);
  }
}

function summary(name: string, values: Float64Array, out: string | undefined): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const error = Math.sqrt(variance / Math.max(1, values.length - 1) / values.length);
  const where = out === undefined ? '' : `; ${out}`;
  return `${grouped(values.length)} rows, mean ${name} ${mean.toFixed(4)} ± ${error.toFixed(4)}${where}\n`;
}
