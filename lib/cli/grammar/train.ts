/** The command train. */
import { type Command, Option } from 'commander';
import type { Actions } from '../program';
import { columns, normOrder, number, part, seconds, whole, widths } from '../words';
import { addContinuous, type ContinuousOptions } from './continuous';
import { addReading, formats, type ReadingOptions } from './reading';

const modelKinds = [
  'maf',
  'iaf',
  'made',
  'realnvp',
  'nice',
  'glow',
  'naf',
  'umnn',
  'sos',
  'bernstein',
  'residual',
  'block-naf',
  'nsf',
  'nsf-ar',
  'flowpp',
  'planar',
  'radial',
  'sylvester',
  'ffjord',
  'vae',
  'wavenet',
  'parallel-wavenet',
  'pixelcnn',
  'pixelrnn',
] as const;
export type ModelKind = (typeof modelKinds)[number];

export interface TrainOptions extends ReadingOptions, ContinuousOptions {
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
  readonly networkActNorm?: boolean;
  readonly activation?: 'relu' | 'tanh';
  readonly residual?: boolean;
  readonly degrees?: 'sequential' | 'random';
  readonly permutation?:
    | 'reverse'
    | 'random'
    | 'none'
    | 'swap'
    | 'lu'
    | 'dense'
    | 'qr'
    | 'emerging'
    | 'periodic';
  readonly coupling?: 'affine' | 'additive';
  readonly scales?: number;
  readonly blocks?: number;
  readonly flat?: boolean;
  readonly scaleBound?: number;
  readonly norm?: number | 'learned';
  readonly base?: 'normal' | 'logistic' | 'student-t' | 'mixture' | 'resampled';
  readonly components?: number;
  readonly dequantization?: 'uniform' | 'variational';
  readonly latents?: number;
  readonly posterior?: 'diagonal' | 'iaf' | 'iaf-affine' | 'planar' | 'radial' | 'sylvester';
  readonly prior?: 'normal' | 'maf';
  readonly likelihood?: 'bernoulli' | 'categorical' | 'logistic' | 'normal';
  readonly conv?: number[];
  readonly freeBits?: number;
  readonly klWarmup?: number;
  readonly importance?: number;
  readonly layers?: number;
  /** Of each flow of a Parallel WaveNet; of a WaveNet one. Runs of earlier versions have a number. */
  readonly stacks?: number[] | number;
  readonly teacher?: string;
  readonly power?: number;
  readonly draws?: number;
  readonly regularization?: number;
  readonly gated?: boolean;
  readonly scan?: 'row' | 'diagonal';
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

export function addTrain(program: Command, actions: Actions<void>): void {
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
    .addOption(
      new Option('--model <kind>', 'kind of model').choices([...modelKinds]).default('maf'),
    )
    .option(
      '--hidden <widths>',
      'hidden layers of each network (default: 256,256; naf, umnn, sos, bernstein, nsf, flowpp 128,128; block-naf 8,8 a column; images, by model: 1024 or 5 × 1000; glow 128, realnvp, flowpp 32 channels)',
      widths,
    )
    .option(
      '--transforms <count>',
      'transforms (default: 5; realnvp 8, nice 4, naf, umnn, sos, bernstein, block-naf, nsf-ar 3, nsf, flowpp 6 (of images 4 a scale), planar, radial, sylvester 8; ffjord 1; residual 10, of images 4 a scale; glow 8 a scale; vae: of the posterior, iaf 4, else 8)',
      whole(1, 1000),
    )
    .option('--batch-norm', 'batch norm after each transform')
    .addOption(new Option('--network-act-norm').hideHelp())
    .option(
      '--no-network-act-norm',
      'glow: networks without the actnorm that the paper has in them',
    )
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
        'of columns between transforms (default: reverse; realnvp swap, nsf, flowpp lu; glow: of channels, lu)',
      ).choices(['reverse', 'random', 'none', 'swap', 'lu', 'dense', 'qr', 'emerging', 'periodic']),
    )
    .addOption(
      new Option('--coupling <kind>', 'of glow (default: affine)').choices(['affine', 'additive']),
    )
    .option(
      '--scales <count>',
      'glow, and realnvp, flowpp and residual on images: scales (default: glow 3, else 2, or what the sides allow)',
      whole(1, 16),
    )
    .option(
      '--blocks <count>',
      'realnvp and flowpp on images: residual blocks (default: 2); vae with --conv: of a scale (default: 1)',
      whole(1, 64),
    )
    .option('--flat', 'realnvp, flowpp, residual: take images as rows of a table')
    .option(
      '--scale-bound <bound>',
      'largest |log-scale| of one transform (default: 5; images 2; realnvp, glow: learned)',
      number(0, 80, true),
    )
    .option(
      '--norm <order>',
      'residual: of the norms that bound its layers, 1 to inf, or learned (default: 2, spectral norms)',
      normOrder,
    )
    .addOption(
      new Option(
        '--base <kind>',
        'of a flow, or the noise of a parallel-wavenet: student-t has learned degrees of freedom, mixture learned Gaussians (--components), resampled a network that accepts draws (default: normal, nice logistic; parallel-wavenet normal, or logistic for a teacher of logistics)',
      ).choices(['normal', 'logistic', 'student-t', 'mixture', 'resampled']),
    )
    .option('--components <count>', 'of --base mixture (default: 10)', whole(1, 4096))
    .addOption(
      new Option(
        '--dequantization <kind>',
        'the noise of integers: uniform, or that of a second flow that sees them, trained by a bound; --importance tightens it in the report (default: uniform)',
      ).choices(['uniform', 'variational']),
    )
    .addOption(
      new Option(
        '--likelihood <kind>',
        'vae, pixelcnn, pixelrnn, wavenet: p of a number. bernoulli: bits, or levels drawn as bits in each batch; categorical: a softmax of levels (sound: 256 mu-law); logistic: mixtures of discretised logistics (sound: 65536 levels); normal: numbers (default: images bernoulli, sound categorical, else normal)',
      ).choices(['bernoulli', 'categorical', 'logistic', 'normal']),
    )
    .addOption(
      new Option('--dtype <type>', 'element type')
        .choices(['float32', 'float64'])
        .default('float32'),
    )
    .optionsGroup('Variational autoencoders (--model vae):')
    .option('--latents <count>', 'latents (default: half the columns; images 32)', whole(1, 1e5))
    .addOption(
      new Option(
        '--posterior <kind>',
        'of the latents; iaf has gates, iaf-affine may stretch as well (default: diagonal)',
      ).choices(['diagonal', 'iaf', 'iaf-affine', 'planar', 'radial', 'sylvester']),
    )
    .addOption(
      new Option('--prior <kind>', 'of the latents (default: normal)').choices(['normal', 'maf']),
    )
    .option('--conv <channels>', 'images: convolutions, channels of each scale: 16,32,32', widths)
    .option('--free-bits <nats>', 'each latent costs at least so much', number(0, 1e3, true))
    .option('--kl-warmup <steps>', 'steps until the divergence counts fully', whole(1))
    .option('--importance <draws>', 'report log p by so many draws, not the ELBO', whole(2, 1e6))
    .optionsGroup(
      'Pixel by pixel (--model pixelcnn, --hidden: channels, default 64; pixelrnn: states, 16; --layers, default 7):',
    )
    .option('--gated', 'pixelcnn: vertical and horizontal stacks with gates; takes classes')
    .addOption(
      new Option(
        '--scan <kind>',
        'pixelrnn: Row LSTM or Diagonal BiLSTM (default: diagonal)',
      ).choices(['row', 'diagonal']),
    )
    .optionsGroup(
      'WaveNets (--model wavenet, parallel-wavenet; --hidden: channels, default 64; normal and logistic can teach):',
    )
    .option('--layers <count>', 'of a stack, dilations 1, 2, 4, … (default: 10)', whole(1, 20))
    .option(
      '--stacks <counts>',
      'stacks (default: 3); parallel-wavenet: of each of its flows (default: 1,1,1,3)',
      widths,
    )
    .option(
      '--spectrum <bands>',
      'wavenet: say what is heard when, by so many bands',
      whole(1, 4096),
    )
    .option('--hop <samples>', 'of a frame of --spectrum (default: 200)', whole(2, 1e6))
    .option('--teacher <model>', 'parallel-wavenet: the WaveNet that it learns to sound like')
    .option(
      '--power <weight>',
      "parallel-wavenet: of the distance of its spectra from the data's (default: 1)",
      number(0, 1e6),
    )
    .option(
      '--draws <count>',
      "parallel-wavenet: draws a sample by which the teacher's density is estimated; with normal noise and teacher it is exact (default: 8)",
      whole(1, 1e4),
    )
    .option(
      '--regularization <weight>',
      'parallel-wavenet, normal noise and teacher: of (log σ − log σ of the teacher)² (default: 4)',
      number(0, 1e6),
    );
  addContinuous(command);
  command
    .optionsGroup('Training:')
    .option(
      '--batch-size <rows>',
      'rows a step (default: 256; images 128; wavenet, parallel-wavenet 8, pixelcnn, pixelrnn 16)',
      whole(2),
    )
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
  flow-kernels train train-images-idx3-ubyte.gz --model vae --posterior iaf --latents 32
  flow-kernels train speech --model wavenet --likelihood normal --spectrum 16 --out runs/teacher
  flow-kernels train speech --model parallel-wavenet --teacher runs/teacher --time-limit 1h
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
