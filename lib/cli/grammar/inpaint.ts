/** The command inpaint. */
import { type Command, Option } from 'commander';
import type { Actions } from '../program';
import { number, whole } from '../words';
import { addReading, type ReadingOptions } from './reading';

const maskKinds = ['top', 'bottom', 'left', 'right', 'center', 'random'] as const;

export interface InpaintCommandOptions extends ReadingOptions {
  readonly out: string;
  readonly number: number;
  readonly mask: (typeof maskKinds)[number];
  readonly iterations: number;
  readonly noise?: number;
  readonly step?: number;
  readonly sample?: boolean;
  readonly temperature?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

export function addInpaint(program: Command, actions: Actions<void>): void {
  const command = program
    .command('inpaint')
    .summary('fill in the missing part of images')
    .description(
      'Hold a part of each image and let the rest climb log p (NICE, section 5.2), or draw it given that part (--sample). ' +
        'The sheet shows the image, what was held, and what came out, side by side.',
    )
    .argument('<model>', 'model file, or run folder')
    .argument('<data>', 'images in the form of the training data');
  addReading(command)
    .optionsGroup('Inpainting:')
    .requiredOption('--out <file>', '.png, or .npy with what came out')
    .option('-n, --number <rows>', 'how many of the first images', whole(1, 4096), 16)
    .addOption(
      new Option('--mask <part>', 'the part that is missing; random: every other pixel, at random')
        .choices([...maskKinds])
        .default('bottom'),
    )
    .option('--iterations <count>', 'steps of the climb, or of the chain', whole(1), 500)
    .option(
      '--sample',
      'draw what is missing, by a Markov chain in latent space, in place of the climb',
    )
    .option(
      '--temperature <t>',
      'with --sample: spread of the base distribution (default: 1)',
      number(0, Infinity, true),
    )
    .option(
      '--noise <factor>',
      'noise, in lengths of the falling steps (default: 0, the climb to a mode); with --step factor of the noise (default: 1)',
      number(0, Infinity),
    )
    .option(
      '--step <factor>',
      'the steps of the paper, 10/(100 + i), times this (default: steps that fall from a twentieth of the interval to 0)',
      number(0, Infinity, true),
    )
    .option('--seed <number>', 'of start and noise', whole(0), 1)
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .action((model: string, data: string, options: InpaintCommandOptions) =>
      actions.inpaint(model, data, options),
    );
}
