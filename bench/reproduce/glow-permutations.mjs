// Glow's comparison of permutations and couplings (Kingma and Dhariwal 2018, figure 3), at a size for two cores: reverse, shuffle and a learned
// 1×1 convolution, each with additive and with affine couplings, on MNIST padded to 32 × 32.
//
//     npm run build && node bench/reproduce/glow-permutations.mjs [--steps 600] [--seeds 3] [--images 20000] [--hidden 32] [--threads 2]
//
// Pixels go through the logit, and the scales are bounded by tanh. L = 3 scales of K = 4 transforms, 32 hidden channels without actnorm, batches of 50, Adam 1e-3 with warm-up and a cosine. The same images, order and noise for all;
// a seed changes weights and order. Writes curves.svg (mean over seeds; the band: lowest to highest) and report.json to
// runs/reproduce/glow-permutations/, after each model: a run that was stopped goes on with the same command.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '600' },
    seeds: { type: 'string', default: '3' },
    images: { type: 'string', default: '20000' },
    hidden: { type: 'string', default: '32' },
    threads: { type: 'string', default: '2' },
  },
});
const steps = Number(options.steps);
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
    hidden: Number(options.hidden),
    networkActNorm: false,
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
const report = join(folder, 'report.json');
const { threads, seeds, ...training } = options;

/** The models of an earlier run with the same training; without one, none. */
async function earlier() {
  const text = await readFile(report, 'utf8').catch(() => null);
  const found = text && JSON.parse(text);
  const same = found && JSON.stringify(found.training) === JSON.stringify(training);
  return same ? found.models : [];
}

const mean = (values) => values.reduce((a, b) => a + b) / values.length;
const label = { reverse: 'reverse', random: 'shuffle', lu: '1×1 convolution' };
const kinds = ['additive', 'affine'].flatMap((coupling) =>
  ['reverse', 'random', 'lu'].map((permutation) => ({ coupling, permutation })),
);
const of = ({ coupling, permutation }) => {
  const its = (model) => model.coupling === coupling && model.permutation === permutation;
  return models.filter(its).map(({ curve }) => curve);
};

/** Mean, lowest and highest of the seeds for each kind that has some. */
function summary() {
  return kinds.flatMap((kind) => {
    const curves = of(kind);
    if (curves.length === 0) return [];
    const { x } = curves[0];
    const at = (fold) => x.map((_, k) => fold(curves.map((curve) => curve.y[k])));
    const name = `${label[kind.permutation]}, ${kind.coupling}`;
    const [low, high] = [Math.min, Math.max].map((side) => at((values) => side(...values)));
    return [{ name, ...kind, seeds: curves.length, x, mean: at(mean), low, high }];
  });
}

const colors = { reverse: '#4269d0', random: '#efb118', lu: '#ff725c' };

/** One chart a coupling, as in the paper, over the same interval of y. */
async function write() {
  const results = summary();
  const most = Math.max(...results.map((result) => result.seeds));
  const late = results.flatMap(({ x, low, high }) =>
    x.flatMap((step, k) => (step >= steps / 10 ? [low[k], high[k]] : [])),
  );
  const charts = ['additive', 'affine'].map((coupling) =>
    flow.lineChart({
      title: `Glow, ${coupling} couplings: ${most} seed${most > 1 ? 's' : ''}`,
      xLabel: 'step',
      yLabel: 'bits/dim, held out',
      yRange: [Math.min(...late) - 0.02, Math.max(...late) + 0.02],
      width: 520,
      series: results
        .filter((result) => result.coupling === coupling)
        .map(({ permutation, x, mean, low, high }) => ({
          name: label[permutation],
          ...{ x, y: mean, color: colors[permutation], band: [low, high] },
        })),
    }),
  );
  await writeFile(join(folder, 'curves.svg'), flow.sideBySide(charts));
  await writeFile(report, `${JSON.stringify({ training, results, models }, null, 1)}\n`);
  return results;
}

await mkdir(folder, { recursive: true });
const models = await earlier();
for (let seed = 1; seed <= Number(seeds); seed++) {
  for (const { coupling, permutation } of kinds) {
    const done = (model) =>
      model.seed === seed && model.coupling === coupling && model.permutation === permutation;
    if (models.some(done)) continue;
    const start = process.cpuUsage();
    const curve = await learn(permutation, coupling, seed);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    models.push({ coupling, permutation, seed, seconds, curve });
    await write();
    console.log(
      JSON.stringify({ coupling, permutation, seed, seconds, bitsPerDim: curve.y.at(-1) }),
    );
  }
}
for (const { name, mean, low, high } of await write()) {
  const spread = `${low.at(-1).toFixed(3)} to ${high.at(-1).toFixed(3)}`;
  console.log(`${name}: ${mean.at(-1).toFixed(3)} bits/dim (${spread})`);
}
