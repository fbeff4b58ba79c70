// PixelCNN and PixelRNN on binarised MNIST (van den Oord et al. 2016, "Pixel Recurrent Neural Networks": test nats PixelCNN 81.30,
// Diagonal BiLSTM 79.20):
//
//     npm run build && node bench/reproduce/pixels.mjs pixelcnn|gated|row|diagonal [--layers 7] [--hidden 64 | 16] [--epochs 20]
//         [--batch-size 16] [--binarization static|dynamic] [--train-images 50000] [--test-images 10000] [--lr 1e-3]
//         [--seconds 1e9] [--threads 2] [--out runs/reproduce/pixels] [--sheet-only]
//
// Binarisation: static, each pixel 1 with probability pixel/255, all images once, by seed 0 (the papers' set is another such draw, of
// Larochelle and Murray 2011); dynamic, drawn anew in each batch of training, test and validation images once, by seed 0.
// 50,000/10,000/10,000 images. Adam along a cosine to zero, gradients clipped at 100, the best epoch by the validation images.
//
// Resumable: run it again with the same options, and it goes on from its checkpoint. Writes checkpoint, model, curves.svg, samples.png
// (100 images, with the time of the draw) and report.json to <out>/<name>/; --sheet-only draws samples.png again of a saved model.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: 'string', default: '7' },
    hidden: { type: 'string' },
    epochs: { type: 'string', default: '20' },
    'batch-size': { type: 'string', default: '16' },
    binarization: { type: 'string', default: 'static' },
    'train-images': { type: 'string', default: '50000' },
    'test-images': { type: 'string', default: '10000' },
    lr: { type: 'string', default: '1e-3' },
    seconds: { type: 'string', default: '1e9' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string', default: 'runs/reproduce/pixels' },
    'sheet-only': { type: 'boolean', default: false },
  },
});
/** Test nats of the papers; null: none to compare with. */
const papers = { pixelcnn: 81.3, gated: null, row: null, diagonal: 79.2 };
const name = positionals[0];
if (!Object.hasOwn(papers, name ?? '')) {
  console.error(`expected one of ${Object.keys(papers).join(', ')}, got ${name ?? 'nothing'}`);
  process.exit(2);
}
flow.setThreads(Number(options.threads));
const isStatic = options.binarization === 'static';
const layers = Number(options.layers);
const isRnn = name === 'row' || name === 'diagonal';
const hidden = Number(options.hidden ?? (isRnn ? 16 : 64));
const folder = join(options.out, `${name}-${layers}x${hidden}${isStatic ? '' : '-dynamic'}`);
const modelPath = join(folder, 'model.safetensors');
await mkdir(folder, { recursive: true });

/** 100 images as a sheet, and how long they took. */
async function sheet(model) {
  const started = performance.now();
  const samples = model.sample(100, { seed: 1 });
  const seconds = (performance.now() - started) / 1000;
  const most = model.dequantization.levels - 1;
  const data = Float32Array.from(samples.dataSync(), (value) => value / most);
  samples.dispose();
  const png = flow.imageSheet(
    { data, shape: [100, 28, 28, 1] },
    { columns: 10, padding: 1, background: 0.3, scale: 1 },
  );
  await writeFile(join(folder, 'samples.png'), png);
  return seconds;
}

if (options['sheet-only']) {
  const model = await flow.loadModel(modelPath);
  const seconds = await sheet(model);
  console.log(JSON.stringify({ name, samples: join(folder, 'samples.png'), seconds }));
  process.exit(0);
}

const features = 784;
const all = await flow.loadMnist({ split: 'train' });
const heldOut = await flow.loadMnist({ split: 'test' });
const stream = new flow.RandomStream(0);
const bits = (images) => {
  const draws = stream.uniformArray(images.length);
  return Float32Array.from(images, (pixel, i) => (draws[i] < pixel / 255 ? 1 : 0));
};
const bytes = all.data.subarray(0, Number(options['train-images']) * features);
const train = isStatic ? bits(bytes) : bytes;
const validation = bits(all.data.subarray(50_000 * features));
const test = bits(heldOut.data.subarray(0, Number(options['test-images']) * features));

const shared = {
  image: { height: 28, width: 28, channels: 1 },
  likelihood: 'bernoulli',
  layers,
  hidden,
  ...(isStatic ? {} : { binarization: { levels: 256 } }),
  description: { image: '[28,28,1]', data: `MNIST, binarised: ${options.binarization}` },
  seed: 1,
};
const model = isRnn
  ? new flow.PixelRnn({ ...shared, scan: name })
  : new flow.PixelCnn({ ...shared, gated: name === 'gated' });
const epochs = Number(options.epochs);
const checkpoint = join(folder, 'checkpoint.safetensors');
const result = await flow.fit(model, train, {
  validation,
  epochs,
  batchSize: Number(options['batch-size']),
  patience: epochs,
  optimizer: flow.adam({ lr: Number(options.lr) }),
  schedule: flow.cosine({ epochs }),
  clipNorm: 100,
  seed: 1,
  timeLimitSeconds: Number(options.seconds),
  checkpoint: { path: checkpoint, everySeconds: 120 },
  ...(existsSync(checkpoint) ? { resume: checkpoint } : {}),
  onEpoch: (epoch) => console.error(JSON.stringify(epoch)),
});
await model.save(modelPath);
const score = await flow.evaluate(model, test);
const sampleSeconds = await sheet(model);
const x = result.history.map(({ epoch }) => epoch);
const curves = flow.lineChart({
  title: `${name} on binarised MNIST: log-likelihood while training`,
  xLabel: 'epoch',
  yLabel: 'nats',
  yRange: 'robust',
  series: [
    { name: 'training', x, y: result.history.map(({ trainLoss }) => -trainLoss) },
    { name: 'validation', x, y: result.history.map((epoch) => epoch.validationLogProb) },
  ],
});
await writeFile(join(folder, 'curves.svg'), curves);
const report = {
  name,
  ...{ layers, hidden, binarization: options.binarization, epochs: result.epochs },
  ...{ stoppedBecause: result.stoppedBecause, best: result.best, seconds: result.seconds },
  ...{ test: score, paper: papers[name], secondsFor100Samples: sampleSeconds },
};
await writeFile(
  join(folder, 'report.json'),
  `${JSON.stringify({ ...report, history: result.history }, null, 1)}\n`,
);
console.log(JSON.stringify(report));
