// The MNIST rows of the MAF paper (Papamakarios et al. 2017, table 2), by its recipe:
//
//     npm run build && node bench/reproduce/mnist.mjs made|maf5|made-binary [--noise fresh|once] [--direct] [--resume]
//         [--patience 30] [--seconds 7200] [--threads 2]
//
// Logit space with λ = 1e-6, 50,000/10,000/10,000 images, batches of 100, Adam with learning rate 1e-4, weight decay 1e-6,
// 2 × 1024 ReLU units, batch norm after each MADE with the statistics of the whole training set at validation and test,
// patience of 30 epochs. Ours differs in two points: dequantisation noise is drawn anew for each batch (the paper's once: --noise once),
// and last layers start at zero.
//
// made-binary: MADE with 500 ReLU units and one mask (Germain et al. 2015; 94.5 nats in a re-implementation) on images
// binarised once, each pixel 1 with probability pixel/255 (seed 0). By that re-implementation's recipe: Adam 1e-3 with weight
// decay 1e-4, a tenth of the rate after 45 epochs, batches of 100; best epoch by validation, patience of 30 epochs.
//
// Writes model, checkpoint, curves.svg and report.json to runs/reproduce/<name>/.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    resume: { type: 'boolean', default: false },
    patience: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '7200' },
    threads: { type: 'string', default: '2' },
    noise: { type: 'string', default: 'fresh' },
    direct: { type: 'boolean', default: false },
  },
});
const names = ['made', 'maf5', 'made-binary'];
const name = positionals[0];
if (!names.includes(name)) {
  console.error(`expected one of ${names.join(', ')}, got ${name ?? 'nothing'}`);
  process.exit(2);
}
flow.setThreads(Number(options.threads));
const variant = `${options.noise === 'once' ? '-noise-once' : ''}${options.direct ? '-direct' : ''}`;
const folder = join('runs', 'reproduce', name + variant);
await mkdir(folder, { recursive: true });

const features = 784;
const all = await flow.loadMnist({ split: 'train' });
const test = await flow.loadMnist({ split: 'test' });

/** The model of the paper, its data and its learning rate. */
function paper() {
  const model = flow.maf({
    features,
    transforms: name === 'maf5' ? 5 : 1,
    hidden: [1024, 1024],
    batchNorm: true,
    seed: 1,
    dequantization: { levels: 256 },
    preprocessing: new flow.Chain([
      flow.Affine.uniform(features, 1 / 256, 0),
      new flow.Logit(features, 1e-6),
    ]),
    description: { image: '28,28', data: 'MNIST' },
  });
  return {
    model,
    images: all.data,
    testImages: test.data,
    optimizer: flow.adam({ lr: 1e-4, weightDecay: 1e-6 }),
  };
}

function binary() {
  const stream = new flow.RandomStream(0);
  const binarized = (images) => {
    const draws = stream.uniformArray(images.length);
    return images.map((pixel, i) => (draws[i] < pixel / 255 ? 1 : 0));
  };
  const model = new flow.BernoulliMade({
    features,
    hidden: [500],
    direct: options.direct,
    seed: 1,
  });
  return {
    model,
    images: binarized(all.data),
    testImages: binarized(test.data),
    optimizer: flow.adam({ lr: 1e-3 }),
  };
}

/** x + U[0, 1), drawn once: the network can then learn the noise by heart. */
function dequantizedOnce(images, seed) {
  const stream = new flow.RandomStream(seed);
  const draws = stream.uniformArray(images.length);
  stream.dispose();
  return Float32Array.from(images, (pixel, i) => pixel + draws[i]);
}

const { model, images, testImages, optimizer, schedule } =
  name === 'made-binary' ? binary() : paper();
const rows = options.noise === 'once' ? dequantizedOnce(images, 1) : images;
const train = rows.subarray(0, 50_000 * features);
const validation = rows.subarray(50_000 * features);

const checkpoint = join(folder, 'checkpoint.safetensors');
const result = await flow.fit(model, train, {
  validation,
  batchSize: 100,
  optimizer,
  ...(schedule ? { schedule } : {}),
  patience: Number(options.patience),
  seed: 1,
  timeLimitSeconds: Number(options.seconds),
  checkpoint: { path: checkpoint, everySeconds: 120 },
  ...(options.resume ? { resume: checkpoint } : {}),
  onEpoch: (epoch) => console.log(JSON.stringify(epoch)),
});
await model.save(join(folder, 'model.safetensors'));
const score = await flow.evaluate(model, testImages);
const epochs = result.history.map((epoch) => epoch.epoch);
const curves = flow.lineChart({
  title: `${name}: log-likelihood while training`,
  xLabel: 'epoch',
  yLabel: 'nats',
  yRange: 'robust',
  series: [
    { name: 'training', x: epochs, y: result.history.map((epoch) => -epoch.trainLoss) },
    {
      name: 'validation',
      x: epochs,
      y: result.history.map((epoch) => epoch.validationLogProbModel),
    },
  ],
});
await writeFile(join(folder, 'curves.svg'), curves);
await writeFile(
  join(folder, 'report.json'),
  `${JSON.stringify({ name, stoppedBecause: result.stoppedBecause, epochs: result.epochs, best: result.best, test: score, history: result.history }, null, 1)}\n`,
);
console.log(
  JSON.stringify({
    name,
    stoppedBecause: result.stoppedBecause,
    best: result.best?.epoch,
    test: score,
  }),
);
