// Figure 1 of the IAF paper (Kingma et al. 2016): a VAE of two latents on a data set of four points, with diagonal and with IAF
// posteriors. The four posteriors together should fill the prior; only those that bend can.
//
//     npm run build && node bench/reproduce/four-points.mjs [--steps 6000] [--seed 1] [--out docs/images/iaf-four-points.svg]
//
// Draws the prior and both models' posteriors side by side; prints ELBO and log p, of which −log 4 = −1.386 is the best.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '6000' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'docs/images/iaf-four-points.svg' },
  },
});
const steps = Number(options.steps);
const seed = Number(options.seed);
const copies = 64; // of each point in a batch, for draws enough
const points = Uint8Array.from({ length: 4 * copies * 4 }, (_, k) =>
  (k >> 2) % 4 === k % 4 ? 1 : 0,
);

async function fitted(posterior) {
  const model = flow.vae({
    features: 4,
    latents: 2,
    hidden: [64, 64],
    activation: 'tanh',
    posterior,
    warmup: { steps: steps / 4 },
    seed,
  });
  await flow.fit(model, points, {
    steps,
    batchSize: 4 * copies,
    optimizer: flow.adam({ lr: 2e-3 }),
    schedule: flow.cosine({ steps }),
    clipNorm: 10,
    seed,
  });
  const many = Uint8Array.from({ length: 16_000 * 4 }, (_, k) => points[k % points.length]);
  const elbo = await flow.evaluate(model, many, { seed: 1 });
  const logProb = await flow.evaluate(model, many.subarray(0, 4 * 4), { seed: 1, samples: 20_000 });
  console.log(
    JSON.stringify({
      posterior: typeof posterior === 'string' ? posterior : 'iaf',
      elbo: Number(elbo.logProb.toFixed(4)),
      logProb: Number(logProb.logProb.toFixed(4)),
    }),
  );
  return model;
}

const each = 400;
const axes = { xRange: [-3.5, 3.5], yRange: [-3.5, 3.5], width: 420, height: 440 };

function posteriors(title, model) {
  const groups = [0, 1, 2, 3].map((point) => {
    const row = Uint8Array.from({ length: each * 4 }, (_, k) => (k % 4 === point ? 1 : 0));
    const z = flow.scope(() => model.encode(row, null, { seed: 10 + point }).z.dataSync());
    return { name: `x${point + 1}`, points: z };
  });
  return flow.densityChart({ title, groups, ...axes });
}

const stream = new flow.RandomStream(seed);
const prior = flow.scope(() => stream.normal([4 * each, 2]).dataSync());
const diagonal = await fitted('diagonal');
const iaf = await fitted({ transforms: 4, hidden: [64, 64], contextFeatures: 16 });
const charts = [
  flow.densityChart({ title: 'Prior', groups: [{ name: 'N(0, I)', points: prior }], ...axes }),
  posteriors('Diagonal posteriors', diagonal),
  posteriors('IAF posteriors', iaf),
];
await writeFile(options.out, flow.sideBySide(charts));
console.log(options.out);
