// Glow's comparison of permutations and couplings (Kingma and Dhariwal 2018, figure 3), at a size for two cores: reverse, shuffle and a learned
// 1×1 convolution, each with additive and with affine couplings, on MNIST padded to 32 × 32.
//
//     npm run build && node bench/reproduce/glow-permutations.mjs [--steps 600] [--seeds 3] [--images 20000] [--threads 2]
//
// Pixels go through the logit, and the scales are bounded by tanh. L = 3 scales of K = 4 transforms, 32 hidden channels, batches of 50, Adam 1e-3 with warm-up and a cosine. The same images, order and noise for all;
// a seed changes weights and order. Writes curves.svg (mean over seeds, dashed: lowest and highest) and report.json to
// runs/reproduce/glow-permutations/.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '600' },
    seeds: { type: 'string', default: '3' },
    images: { type: 'string', default: '20000' },
    threads: { type: 'string', default: '2' },
  },
});
const steps = Number(options.steps);
const seeds = Array.from({ length: Number(options.seeds) }, (_, k) => k + 1);
const batchSize = 50;
const warmUp = Math.ceil(steps / 10);
const every = Math.max(1, Math.round(steps / 20));
flow.setThreads(Number(options.threads));

const image = { height: 32, width: 32, channels: 1 };
const features = image.height * image.width * image.channels;
const all = flow.padImages(await flow.loadMnist({ split: 'train' }), 32, 32);
const train = all.data.subarray(0, Number(options.images) * features);
const heldOut = all.data.subarray(50_000 * features, 51_000 * features);

/** Bits/dim of held-out images along a training. */
async function learn(permutation, coupling, seed) {
  const model = flow.glow({
    image,
    scales: 3,
    transforms: 4,
    hidden: 32,
    permutation,
    coupling,
    scale: coupling === 'affine' ? { kind: 'tanh' } : undefined,
    lambda: 1e-6,
    seed,
    description: { data: 'MNIST' },
  });
  const curve = { x: [], y: [] };
  await flow.fit(model, train, {
    batchSize,
    steps,
    dropLast: true,
    optimizer: flow.adam({ lr: 1e-3 }),
    schedule: flow.linearWarmup({ steps: warmUp }, flow.cosine({ steps: steps - warmUp })),
    clipNorm: 100,
    seed,
    async onStep({ step }) {
      if (step % every !== 0 && step !== steps) return;
      const { bitsPerDim } = await flow.evaluate(model, heldOut);
      model.train(true);
      curve.x.push(step);
      curve.y.push(bitsPerDim);
    },
  });
  model.dispose();
  return curve;
}

const folder = join('runs', 'reproduce', 'glow-permutations');
await mkdir(folder, { recursive: true });
const results = [];
for (const coupling of ['additive', 'affine']) {
  for (const permutation of ['reverse', 'random', 'lu']) {
    const curves = [];
    for (const seed of seeds) {
      const start = performance.now();
      const curve = await learn(permutation, coupling, seed);
      curves.push(curve);
      const seconds = (performance.now() - start) / 1000;
      console.log(
        JSON.stringify({ coupling, permutation, seed, seconds, bitsPerDim: curve.y.at(-1) }),
      );
    }
    const { x } = curves[0];
    const at = (fold) => x.map((_, k) => fold(curves.map((curve) => curve.y[k])));
    results.push({
      name: `${permutation === 'lu' ? '1×1 convolution' : permutation}, ${coupling}`,
      x,
      mean: at((values) => values.reduce((a, b) => a + b) / values.length),
      low: at((values) => Math.min(...values)),
      high: at((values) => Math.max(...values)),
    });
  }
}

const colors = ['#4269d0', '#efb118', '#ff725c', '#6cc5b0', '#3ca951', '#a463f2'];
const series = results.flatMap(({ name, x, mean, low, high }, k) => {
  const color = colors[k];
  const spread = [low, high].map((y, side) => ({
    name: `${name}, ${side === 0 ? 'lowest' : 'highest'} of the seeds`,
    x,
    y,
    color,
    dashed: true,
  }));
  return [{ name, x, y: mean, color }, ...(seeds.length > 1 ? spread : [])];
});
const chart = flow.lineChart({
  title: `Glow on MNIST 32 × 32: permutations and couplings, ${seeds.length} seeds`,
  xLabel: 'step',
  yLabel: 'bits/dim, held out',
  yRange: 'robust',
  series,
});
await writeFile(join(folder, 'curves.svg'), chart);
await writeFile(join(folder, 'report.json'), `${JSON.stringify({ options, results }, null, 1)}\n`);
for (const { name, mean, low, high } of results) {
  const spread = `${low.at(-1).toFixed(3)} to ${high.at(-1).toFixed(3)}`;
  console.log(`${name}: ${mean.at(-1).toFixed(3)} bits/dim (${spread})`);
}
