// Published results on MNIST, run again:
//
//     npm run build && node bench/reproduce/mnist.mjs made|maf5|made-binary|nice|realnvp|glow [--noise fresh|once] [--no-batch-norm] [--direct] [--resume]
//         [--patience 30] [--seconds 7200] [--threads 2] [--epochs 150]
//
// made, maf5: the MAF paper (Papamakarios et al. 2017, table 2), by its recipe. Logit space with λ = 1e-6, 50,000/10,000/10,000 images, batches of 100, Adam with learning rate 1e-4, weight decay 1e-6,
// 2 × 1024 ReLU units, batch norm after each MADE with the statistics of the whole training set at validation and test,
// patience of 30 epochs. Ours differs in two points: dequantisation noise is drawn anew for each batch (the paper's once: --noise once),
// and last layers start at zero.
//
// made-binary: MADE with 500 ReLU units and one mask (Germain et al. 2015; 94.5 nats in a re-implementation) on images
// binarised once, each pixel 1 with probability pixel/255 (seed 0). By that re-implementation's recipe: random order and degrees, Adam
// 1e-3 with weight decay 1e-4, a tenth of the rate after every 45 epochs, 100 epochs of batches of 100; best epoch by validation.
//
// nice: Dinh et al. 2015, section 5.1 (1980.50 nats): pixels in [0, 1) with noise of 1/256, four additive couplings with
// networks of 5 × 1000 ReLU units, learned scales, logistic prior; Adam with learning rate 1e-3, β₁ 0.9, β₂ 0.99 (its 0.01 counts from 1, as the first
// version of Adam did), ε 1e-4. The paper trains
// 1500 epochs; here it is --epochs, over which the rate falls to zero along a cosine.
//
// glow: Kingma and Dhariwal 2018 (1.05 bits/dim), at a size for two cores: 28 × 28, L = 2, K = 8, 128 hidden channels without actnorm,
// pixels through the logit and scales bounded by tanh (with the paper's, samples of images with so many black pixels overflow); Adam with warm-up,
// gradients clipped, moving average of the weights, --epochs along a cosine.
//
// realnvp: Dinh et al. 2017 (no figure for MNIST there; 1.06 bits/dim in Glow's table), at a size for two cores: 28 × 28, two scales, one residual
// block of 16 channels (32 after the squeeze) a network, weight norm, batch norm, λ = 1e-6; Adam as for glow.
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
    'no-batch-norm': { type: 'boolean', default: false },
    epochs: { type: 'string', default: '150' },
  },
});
const names = ['made', 'maf5', 'made-binary', 'nice', 'realnvp', 'glow'];
const name = positionals[0];
if (!names.includes(name)) {
  console.error(`expected one of ${names.join(', ')}, got ${name ?? 'nothing'}`);
  process.exit(2);
}
flow.setThreads(Number(options.threads));
const variant = `${options.noise === 'once' ? '-noise-once' : ''}${options.direct ? '-direct' : ''}${options['no-batch-norm'] ? '-plain' : ''}`;
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
    batchNorm: !options['no-batch-norm'],
    seed: 1,
    dequantization: { levels: 256 },
    preprocessing: new flow.Chain([
      flow.Affine.uniform(features, 1 / 256, 0),
      new flow.Logit(features, 1e-6),
    ]),
    description: { image: '[28,28,1]', data: 'MNIST' },
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
    order: 'random',
    degrees: 'random',
    seed: 1,
  });
  return {
    model,
    images: binarized(all.data),
    testImages: binarized(test.data),
    optimizer: flow.adam({ lr: 1e-3, weightDecay: 1e-4 }),
    epochs: 100,
    schedule: flow.stepDecay({ epochs: 45 }),
  };
}

function nice() {
  const model = flow.nice({
    features,
    seed: 1,
    dequantization: { levels: 256 },
    preprocessing: flow.Affine.uniform(features, 1 / 256, 0),
    description: { image: '[28,28,1]', data: 'MNIST' },
  });
  return {
    model,
    images: all.data,
    testImages: test.data,
    optimizer: flow.adam({ lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-4 }),
    batchSize: 200,
    epochs: Number(options.epochs),
  };
}

/** How glow and realnvp are trained. */
const byConvolutions = {
  images: all.data,
  testImages: test.data,
  optimizer: flow.adam({ lr: 1e-3 }),
  clipNorm: 100,
  ema: 0.999,
  warmUp: 1,
  epochs: Number(options.epochs),
};

function glow() {
  const model = flow.glow({
    image: { height: 28, width: 28, channels: 1 },
    scales: 2,
    transforms: 8,
    hidden: 128,
    networkActNorm: false,
    scale: { kind: 'tanh' },
    lambda: 1e-6,
    seed: 1,
    description: { data: 'MNIST' },
  });
  return { model, ...byConvolutions };
}

function realnvp() {
  const model = flow.realnvpImage({
    image: { height: 28, width: 28, channels: 1 },
    scales: 2,
    blocks: 1,
    hidden: 16,
    lambda: 1e-6,
    seed: 1,
    description: { data: 'MNIST' },
  });
  return { model, ...byConvolutions };
}

/** x + U[0, 1), drawn once: the network can then learn the noise by heart. */
function dequantizedOnce(images, seed) {
  const stream = new flow.RandomStream(seed);
  const draws = stream.uniformArray(images.length);
  stream.dispose();
  return Float32Array.from(images, (pixel, i) => pixel + draws[i]);
}

const recipes = { made: paper, maf5: paper, 'made-binary': binary, nice, realnvp, glow };
const {
  model,
  images,
  testImages,
  batchSize = 100,
  epochs,
  warmUp = 0,
  schedule = epochs && scheduleOf(epochs, warmUp),
  ...learning
} = recipes[name]();

function scheduleOf(epochs, warmUp) {
  const falling = flow.cosine({ epochs: epochs - warmUp });
  return warmUp > 0 ? flow.linearWarmup({ epochs: warmUp }, falling) : falling;
}

const rows = options.noise === 'once' ? dequantizedOnce(images, 1) : images;
const train = rows.subarray(0, 50_000 * features);
const validation = rows.subarray(50_000 * features);

const checkpoint = join(folder, 'checkpoint.safetensors');
const result = await flow.fit(model, train, {
  validation,
  batchSize,
  ...learning,
  ...(epochs ? { epochs, schedule } : {}),
  patience: Number(options.patience),
  seed: 1,
  timeLimitSeconds: Number(options.seconds),
  checkpoint: { path: checkpoint, everySeconds: 120 },
  ...(options.resume ? { resume: checkpoint } : {}),
  onEpoch: (epoch) => console.log(JSON.stringify(epoch)),
});
await model.save(join(folder, 'model.safetensors'));
const score = await flow.evaluate(model, testImages);
const x = result.history.map((epoch) => epoch.epoch);
const curves = flow.lineChart({
  title: `${name}: log-likelihood while training`,
  xLabel: 'epoch',
  yLabel: 'nats',
  yRange: 'robust',
  series: [
    { name: 'training', x, y: result.history.map((epoch) => -epoch.trainLoss) },
    {
      name: 'validation',
      x,
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
