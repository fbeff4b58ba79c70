/** The command interpolate. */
import { type Command, Option } from 'commander';
import type { Actions } from '../program';
import { number, pairs, whole } from '../words';
import { addReading, type ReadingOptions } from './reading';

export interface InterpolateCommandOptions extends ReadingOptions {
  readonly out: string;
  readonly number: number;
  readonly steps: number;
  readonly pairs?: [number, number][];
  readonly attribute?: string;
  readonly amount: number;
  readonly path: 'linear' | 'spherical';
  readonly threads?: number;
  readonly quiet?: boolean;
}

export function addInterpolate(program: Command, actions: Actions<void>): void {
  const command = program
    .command('interpolate')
    .summary('rows between rows, through the latent space')
    .description(
      'Go from row to row in the latent space of a model, or from a row along the direction of a class (Glow, section 5).',
    )
    .argument('<model>', 'model file, or run folder')
    .argument('<data>', 'rows in the form of the training data');
  addReading(command)
    .optionsGroup('Interpolation:')
    .requiredOption('--out <file>', '.png where the rows are images, .npy or .csv')
    .option('-n, --number <rows>', 'how many pairs, or rows', whole(1, 4096), 8)
    .option('--steps <count>', 'rows of each pair, both ends included', whole(2, 1000), 9)
    .option('--pairs <rows>', 'rows by index: 0:1,5:7 (default: 0:1,2:3, …)', pairs)
    .option(
      '--attribute <class>',
      'in place of pairs: less and more of a class, whose labels --labels names',
    )
    .option('--amount <factor>', 'how far along the direction of the class', number(0, 100), 1)
    .addOption(
      new Option('--path <kind>', 'a straight line, or an arc')
        .choices(['linear', 'spherical'])
        .default('linear'),
    )
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .action((model: string, data: string, options: InterpolateCommandOptions) =>
      actions.interpolate(model, data, options),
    );
}
