/** The command score. */
import { type Command, Option } from 'commander';
import type { Actions } from '../program';
import { columns, whole } from '../words';
import { addReading, formats, type ReadingOptions } from './reading';

export interface ScoreOptions extends ReadingOptions {
  readonly out?: string;
  readonly space: 'data' | 'model';
  readonly bitsPerDim?: boolean;
  readonly importance?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

export function addScore(program: Command, actions: Actions<void>): void {
  const command = program
    .command('score')
    .summary('log p of each row of a data file: anomaly scores')
    .description(
      `Write log p (natural logarithm) of each row; rows that the model finds strange score low. ${formats}`,
    )
    .argument('<model>', 'model file, or run folder')
    .argument('<data>', 'rows in the form of the training data');
  addReading(command)
    .option(
      '--context-columns <keys>',
      'columns to condition on (default: those of the training)',
      columns,
    )
    .optionsGroup('Output:')
    .option('--out <file>', '.csv or .npy (default: CSV on stdout)')
    .addOption(
      new Option('--space <space>', "density in the data's own units, or after preprocessing")
        .choices(['data', 'model'])
        .default('data'),
    )
    .option('--bits-per-dim', 'bits per dimension in place of log p')
    .option('--importance <draws>', 'of a vae: draws a row (default: 128)', whole(1, 1e6))
    .option('--seed <number>', 'of the dequantisation noise and of draws', whole(0), 0)
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .addHelpText(
      'after',
      `
Examples:
  flow-kernels score runs/first new.csv --out scores.csv
  flow-kernels score runs/first/model.safetensors new.npy | sort -g | head`,
    )
    .action((model: string, data: string, options: ScoreOptions) =>
      actions.score(model, data, options),
    );
}
