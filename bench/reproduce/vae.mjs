// Variational autoencoders on binarised MNIST: the same encoder and decoder with a diagonal posterior, an IAF posterior (Kingma et
// al. 2016, section 6.1; gated steps, or affine ones) and an autoregressive prior (Chen et al. 2017), a few seeds each:
//
//     npm run build && node bench/reproduce/vae.mjs [--variants diagonal,iaf,iaf-affine,maf] [--seeds 1,2,3] [--epochs 200] [--batch-size 100]
//         [--binarization dynamic|static] [--hidden 512,512 | --conv 16,32,32] [--latents 32] [--steps 4] [--width 320] [--samples 128]
//         [--test-images 10000] [--train-images 50000] [--seconds 1e9] [--threads 2] [--free-bits 0] [--warmup 0.1] [--out runs/reproduce/vae]
//
// Binarisation: dynamic, each pixel 1 with probability pixel/255, drawn anew in each batch (test images: once, by seed 0), as in the
// paper's table 1; static, all images once, by seed 0. 50,000/10,000/10,000 images, Adam 1e-3 along a cosine, warm-up of the
// divergence over a tenth of the epochs, the best epoch by the ELBO of the validation images.
//
// Resumable: run it again with the same options. Each model has a folder <out>/<variant>-<seed>/ with checkpoint, model and result;
// what has a result is not run again. Prints and writes the table: <out>/table.md.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options } = parseArgs({
  options: {
    variants: { type: 'string', default: 'diagonal,iaf,iaf-affine,maf' },
    seeds: { type: 'string', default: '1,2,3' },
    epochs: { type: 'string', default: '200' },
    'batch-size': { type: 'string', default: '100' },
    binarization: { type: 'string', default: 'dynamic' },
    hidden: { type: 'string', default: '512,512' },
    conv: { type: 'string' },
    latents: { type: 'string', default: '32' },
    transforms: { type: 'string', default: '4' },
    width: { type: 'string', default: '320' },
    samples: { type: 'string', default: '128' },
    'test-images': { type: 'string', default: '10000' },
    'train-images': { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '1e9' },
    threads: { type: 'string', default: '2' },
    'free-bits': { type: 'string', default: '0' },
    warmup: { type: 'string', default: '0.1' },
    out: { type: 'string', default: 'runs/reproduce/vae' },
  },
});
const numbers = (text) => text.split(',').map(Number);
const features = 784;
const epochs = Number(options.epochs);
const samples = Number(options.samples);
const trainImages = Number(options['train-images']);
const batchSize = Number(options['batch-size']);
flow.setThreads(Number(options.threads));

const all = await flow.loadMnist({ split: 'train' });
const heldOut = await flow.loadMnist({ split: 'test' });
const isStatic = options.binarization === 'static';
const stream = new flow.RandomStream(0);
const bits = (images) => {
  const draws = stream.uniformArray(images.length);
  return images.map((pixel, i) => (draws[i] < pixel / 255 ? 1 : 0));
};
// Validation and test images are binarised once in either case.
const train = isStatic
  ? bits(all.data.subarray(0, trainImages * features))
  : all.data.subarray(0, trainImages * features);
const fixed = (images) => Float32Array.from(bits(images));
const validation = fixed(all.data.subarray(50_000 * features));
const test = fixed(heldOut.data.subarray(0, Number(options['test-images']) * features));

const made = [Number(options.width), Number(options.width)];
const posteriors = {
  iaf: { transforms: Number(options.transforms), hidden: made },
  'iaf-affine': {
    transforms: Number(options.transforms),
    hidden: made,
    scale: { kind: 'softClamp', bound: 5 },
  },
};
const priors = { maf: { transforms: Number(options.transforms), hidden: made } };

function build(variant, seed) {
  const stepsPerEpoch = Math.ceil(trainImages / batchSize);
  const warmup = Math.round(Number(options.warmup) * epochs * stepsPerEpoch);
  const nats = Number(options['free-bits']);
  return flow.vae({
    features,
    image: { height: 28, width: 28, channels: 1 },
    latents: Number(options.latents),
    ...(options.conv
      ? { conv: { channels: numbers(options.conv) } }
      : { hidden: numbers(options.hidden) }),
    posterior: posteriors[variant] ?? 'diagonal',
    prior: priors[variant] ?? 'normal',
    ...(warmup > 0 ? { warmup: { steps: warmup } } : {}),
    ...(nats > 0 ? { freeBits: { nats } } : {}),
    ...(isStatic ? {} : { binarization: { levels: 256 } }),
    description: { image: '[28,28,1]', data: `MNIST, binarised: ${options.binarization}` },
    seed,
  });
}

async function run(variant, seed) {
  const folder = join(options.out, `${variant}-${seed}`);
  const resultPath = join(folder, 'result.json');
  if (existsSync(resultPath)) return JSON.parse(await readFile(resultPath, 'utf8'));
  await mkdir(folder, { recursive: true });
  const model = build(variant, seed);
  const checkpoint = join(folder, 'checkpoint.safetensors');
  const result = await flow.fit(model, train, {
    validation,
    epochs,
    batchSize,
    patience: epochs,
    validateEvery: Math.max(1, Math.round(epochs / 50)),
    optimizer: flow.adam({ lr: 1e-3 }),
    schedule: flow.cosine({ epochs }),
    clipNorm: 100,
    seed,
    timeLimitSeconds: Number(options.seconds),
    checkpoint: { path: checkpoint, everySeconds: 120 },
    ...(existsSync(checkpoint) ? { resume: checkpoint } : {}),
    onEpoch: ({ epoch, trainLoss, validationLogProb, seconds }) =>
      console.error(
        JSON.stringify({ variant, seed, epoch, trainLoss, validationLogProb, seconds }),
      ),
  });
  await model.save(join(folder, 'model.safetensors'));
  const started = performance.now();
  const elbo = await flow.evaluate(model, test, { seed: 1 });
  const logProb = await flow.evaluate(model, test, { seed: 1, samples });
  const { seconds, epochs: done, stoppedBecause } = result;
  const record = {
    ...{ variant, seed, epochs: done, stoppedBecause, best: result.best?.epoch ?? null, seconds },
    ...{ elbo: elbo.logProb, logProb: logProb.logProb, standardError: logProb.standardError },
    evaluationSeconds: (performance.now() - started) / 1000,
  };
  model.dispose();
  // Cut short by --seconds: the next call goes on.
  if (stoppedBecause === 'time') return record;
  await writeFile(resultPath, `${JSON.stringify(record, null, 1)}\n`);
  return record;
}

const names = {
  diagonal: 'diagonal posterior, normal prior',
  iaf: `IAF posterior (${options.steps} × ${options.width}), normal prior`,
  'iaf-affine': `IAF posterior (${options.steps} × ${options.width}), affine steps, normal prior`,
  maf: `diagonal posterior, MAF prior (${options.steps} × ${options.width})`,
};
const rows = [];
for (const seed of numbers(options.seeds)) {
  for (const variant of options.variants.split(',')) {
    if (!(variant in names)) throw new Error(`variant ${variant}: expected ${Object.keys(names)}`);
    const record = await run(variant, seed);
    rows.push(record);
    console.error(JSON.stringify(record));
  }
}

const spread = (values) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((a, b) => a + (b - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, values.length - 1));
  return values.length > 1 ? `${mean.toFixed(2)} ± ${deviation.toFixed(2)}` : mean.toFixed(2);
};
const table = [
  `| model | ELBO | log p, K = ${samples} | seeds | seconds a seed |`,
  '|---|---|---|---|---|',
  ...options.variants.split(',').map((variant) => {
    const own = rows.filter((row) => row.variant === variant);
    const seconds = own.reduce((sum, row) => sum + row.seconds, 0) / own.length;
    const of = (key) => spread(own.map((row) => row[key]));
    return `| ${names[variant]} | ${of('elbo')} | ${of('logProb')} | ${own.length} | ${seconds.toFixed(0)} |`;
  }),
].join('\n');
await writeFile(join(options.out, 'table.md'), `${table}\n`);
console.log(table);
