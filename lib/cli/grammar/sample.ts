/** The command sample. */
import type { Command } from 'commander';
import type { Actions } from '../program';
import { number, numbers, whole } from '../words';

export interface SampleCommandOptions {
  readonly number: number;
  readonly out?: string;
  readonly temperature: number;
  readonly seed?: number;
  readonly context?: number[];
  readonly class?: string;
  readonly contextFile?: string;
  readonly length?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

export function addSample(program: Command, actions: Actions<void>): void {
  program
    .command('sample')
    .summary('draw samples')
    .description("Draw rows from a model, in the data's own units.")
    .argument('<model>', 'model file, or run folder')
    .option('-n, --number <rows>', 'how many', whole(1), 1000)
    .option(
      '--out <file>',
      '.csv, .npy, .png where the rows are images, .wav where they are sound, one after the other (default: CSV on stdout)',
    )
    .option('--length <samples>', 'wavenet: of each row (default: as in training)', whole(1))
    .option('--temperature <t>', 'spread of the base distribution', number(0, Infinity), 1)
    .option('--seed <number>', 'the same seed gives the same rows (default: a new one)', whole(0))
    .option('--context <numbers>', 'what all rows are conditioned on: 0.5,-1', numbers)
    .option('--class <name>', 'the class of all rows, for a model trained with --labels')
    .option(
      '--context-file <file>',
      'a file with the context of each row; sets the number of rows. Of a model with --spectrum a WAV file, to be said again',
    )
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .addHelpText(
      'after',
      `
Examples:
  flow-kernels sample runs/first -n 1000 --out more.csv
  flow-kernels sample runs/speech -n 1 --length 32000 --out speech.wav
  flow-kernels sample runs/demo -n 100 --temperature 0.9 --out digits.png`,
    )
    .action((model: string, options: SampleCommandOptions) => actions.sample(model, options));
}
