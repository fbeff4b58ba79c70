// The gallery: every flow of flows.mjs fitted to every density of densities.mjs, and by reverse KL to four energies; a page
// with densities, samples and a table of Kullback–Leibler divergences.
//
//   npm run gallery                   quick: three densities, two energies, 1000 steps each: two minutes
//   npm run gallery -- --full         all of them, 5000 steps each: hours; goes on where it was stopped
//   npm run gallery -- --only planar,NSF-C --out runs/some --steps 1000
//
// Writes OUT/index.html, table.md, sheet.png (the densities alone) and results.json (default runs/gallery).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PNG } from 'pngjs';
import flow from '../../dist/index.js';
import { earlierResults, writeResults } from '../results.mjs';
import { densities, energies } from './densities.mjs';
import { galleryFlows } from './flows.mjs';

const { values: options } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    steps: { type: 'string' },
    only: { type: 'string' },
    out: { type: 'string', default: 'runs/gallery' },
  },
});
const steps = Number(options.steps ?? (options.full ? 5000 : 1000));
const wanted = options.only?.split(',');
const isWanted = ({ name, slow }) =>
  wanted ? wanted.some((part) => name.includes(part)) : options.full || !slow;
const flows = galleryFlows(flow).filter(isWanted);
const quick = ['two moons', 'checkerboard', 'eight Gaussians', 'U1', 'U2'];
const isDrawn = ({ name }) => options.full || quick.some((part) => name.startsWith(part));
const data = densities.filter(isDrawn);
const targets = energies(flow).filter(isDrawn);

const side = 64; // cells
const reach = 4.2; // the pictures show ±reach
const cells = Array.from({ length: side * side }, (_, k) => {
  const at = (cell) => ((cell + 0.5) / side) * 2 * reach - reach;
  return [at(k % side), -at(Math.floor(k / side))]; // the first row at the top
});

mkdirSync(options.out, { recursive: true });
const resultsPath = join(options.out, 'results.json');
const settings = { steps, full: options.full };
const results = earlierResults(resultsPath, settings) ?? { settings, done: {} };

/** Densities of the cells as a picture of greys, 0 to 1. */
function picture(logDensities) {
  const values = Array.from(logDensities, (value) =>
    Number.isFinite(value) ? Math.exp(value) : 0,
  );
  const most = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  return values.map((value) => 1 - Math.sqrt(Math.min(1, value / most)));
}
/** Points as a picture. */
function scatter(points) {
  const counts = new Float64Array(side * side);
  for (let k = 0; k < points.length; k += 2) {
    const i = Math.floor(((points[k] + reach) / (2 * reach)) * side);
    const j = side - 1 - Math.floor(((points[k + 1] + reach) / (2 * reach)) * side);
    if (i >= 0 && i < side && j >= 0 && j < side) counts[j * side + i]++;
  }
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  return Array.from(counts, (count) => 1 - Math.sqrt(count / most));
}
const png = (pixels) =>
  flow
    .imageSheet({ data: pixels, shape: [1, side, side] }, { padding: 0, scale: 2 })
    .toString('base64');

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const fixed = (value) => (Number.isFinite(value) ? value.toFixed(3) : String(value));

/** KL(p‖q) in nats over draws of p that the flow did not see, with the error of the mean. */
async function fitData({ make, lr = 2e-3, loss = null, times = 1 }, target) {
  const rows = target.sample(20000, 1);
  const model = make(1);
  const all = steps * times;
  await flow.fit(model, rows, {
    ...(loss && { loss, validateEvery: 20 }),
    validation: target.sample(1000, 2),
    batchSize: 256,
    optimizer: flow.adam({ lr }),
    schedule: flow.cosine({ steps: all }),
    steps: all,
    epochs: Math.ceil((all * 256) / rows.length) + 1,
    patience: 1e6,
  });
  const test = target.sample(4000, 3);
  const differences = model
    .logProb(test)
    .toArray()
    .map((q, k) => target.logDensity(...test[k]) - q);
  const kl = mean(differences);
  const error = Math.sqrt(mean(differences.map((d) => (d - kl) ** 2)) / differences.length);
  return { model, kl, error };
}

/** KL(q‖p) in nats over draws of q; log Z by the trapezoidal rule. */
async function fitEnergy({ make, lr = 2e-3 }, target) {
  const model = make(1);
  await flow.fitReverseKl(model, target.logDensity, {
    samples: 256,
    steps,
    optimizer: flow.adam({ lr }),
    schedule: flow.cosine({ steps }),
  });
  const { logZ } = target;
  const noise = model.base.sample(4000, new flow.RandomStream(3), 1);
  const { x, logDet } = model.inverse(noise);
  const logQ = flow.sub(model.base.logProb(noise), logDet).toArray();
  const logP = flow.cast(target.logDensity(x), 'float64').toArray();
  const differences = logQ.map((q, k) => q - (logP[k] - logZ));
  const kl = mean(differences);
  const error = Math.sqrt(mean(differences.map((d) => (d - kl) ** 2)) / differences.length);
  return { model, kl, error };
}

function logZ(target) {
  const [n, far] = [400, 7];
  const points = Array.from({ length: n * n }, (_, k) => [
    ((k % n) / (n - 1)) * 2 * far - far,
    (Math.floor(k / n) / (n - 1)) * 2 * far - far,
  ]);
  return flow.scope(() => {
    const logs = target.logDensity(flow.tensor(points, { dtype: 'float64' })).toArray();
    const cell = ((2 * far) / (n - 1)) ** 2;
    return Math.log(logs.reduce((sum, value) => sum + Math.exp(value), 0) * cell);
  });
}

async function fill(kind, row, target, fit) {
  const key = `${kind} | ${row.name} | ${target.name}`;
  if (results.done[key]) return;
  const started = performance.now();
  try {
    const { model, kl, error } = await fit(row, target);
    const density = model.logProb(cells).toArray();
    const samples = model.sample(4000, { seed: 4 }).toArray().flat();
    results.done[key] = {
      kl,
      error,
      density: png(picture(density)),
      samples: png(scatter(samples)),
    };
    model.dispose();
  } catch (error) {
    results.done[key] = { failed: String(error.message ?? error) };
  }
  const seconds = (performance.now() - started) / 1000;
  const { kl, failed } = results.done[key];
  console.log(`${key}: ${failed ?? `KL ${fixed(kl)}`}, ${seconds.toFixed(1)} s`);
  writeResults(resultsPath, results);
}

for (const target of targets) target.logZ = logZ(target);
for (const row of flows) for (const target of data) await fill('data', row, target, fitData);
for (const row of flows)
  for (const target of targets)
    if (row.reverse !== false) await fill('energy', row, target, fitEnergy);

const found = (kind, row, target) => results.done[`${kind} | ${row.name} | ${target.name}`];
const image = (bytes, title) =>
  `<img src="data:image/png;base64,${bytes}" width="128" height="128" title="${title}" alt="${title}">`;

function table(kind, columns, heads) {
  const cell = (row, target) => {
    const its = found(kind, row, target);
    if (!its) return '<td></td>';
    if (its.failed) return `<td>${its.failed.replaceAll('<', '&lt;')}</td>`;
    const pictures = image(its.density, 'density') + image(its.samples, 'samples');
    return `<td>${pictures}<br>${fixed(its.kl)} ± ${fixed(its.error)}</td>`;
  };
  const head = columns.map((target, k) => `<th>${target.name}<br>${heads[k]}</th>`).join('');
  const rows = flows
    .filter((row) => kind === 'data' || row.reverse !== false)
    .map((row) => `<tr><th>${row.name}</th>${columns.map((t) => cell(row, t)).join('')}</tr>`);
  return `<table><tr><th></th>${head}</tr>${rows.join('\n')}</table>`;
}

const dataHeads = data.map(
  (target) =>
    image(png(picture(cells.map(([x, y]) => target.logDensity(x, y)))), 'density') +
    image(png(scatter(target.sample(4000, 3).flat())), 'samples'),
);
const energyHeads = targets.map((target) =>
  flow.scope(() => image(png(picture(target.logDensity(flow.tensor(cells)).toArray())), 'density')),
);
writeFileSync(
  join(options.out, 'index.html'),
  `<!doctype html><meta charset="utf-8"><title>Gallery of flows</title>
<style>body{font:14px sans-serif}td,th{padding:4px;text-align:center;border-bottom:1px solid #ccc}</style>
<h1>Gallery of flows</h1>
<p>${steps} steps of 256 rows each. Under each pair (density, 4000 samples): the divergence in nats, with the standard error of its mean.</p>
<h2>Data: KL(p‖q) by maximum likelihood</h2>${table('data', data, dataHeads)}
<h2>Energies of Rezende and Mohamed (2015): KL(q‖p) by reverse KL</h2>${table('energy', targets, energyHeads)}
`,
);

/** Densities of all flows that are done: a row a flow, a column a target, the targets themselves on top. */
function sheet() {
  const blank = new Float32Array(side * side).fill(1);
  const read = (bytes) => {
    const { data: rgba, width } = PNG.sync.read(Buffer.from(bytes, 'base64'));
    const scale = width / side;
    const at = (k) => 4 * (scale * (k % side) + scale * Math.floor(k / side) * width);
    return Float32Array.from({ length: side * side }, (_, k) => rgba[at(k)] / 255);
  };
  const shown = flows.filter((row) => found('data', row, data[0])?.density);
  const all = [...data.map((target) => ['data', target]), ...targets.map((t) => ['energy', t])];
  const of = (row) =>
    all.map(([kind, target]) => {
      const density = found(kind, row, target)?.density;
      return density ? read(density) : blank;
    });
  const heads = all.map(([kind, target]) =>
    kind === 'data'
      ? picture(cells.map(([x, y]) => target.logDensity(x, y)))
      : flow.scope(() => picture(target.logDensity(flow.tensor(cells)).toArray())),
  );
  const images = [...heads, ...shown.flatMap(of)];
  const pixels = new Float32Array(images.length * side * side);
  images.forEach((image, k) => void pixels.set(image, k * side * side));
  const shape = [images.length, side, side];
  return flow.imageSheet({ data: pixels, shape }, { columns: all.length, padding: 2 });
}
writeFileSync(join(options.out, 'sheet.png'), sheet());

/** Divergences as a table in Markdown. */
function words(kind, columns) {
  const line = (cellsOf) => `| ${cellsOf.join(' | ')} |`;
  const rows = flows.flatMap((row) => {
    const numbers = columns.map((target) => {
      const its = found(kind, row, target);
      return its ? (its.failed ? 'failed' : fixed(its.kl)) : '';
    });
    return numbers.some((text) => text !== '') ? [line([row.name, ...numbers])] : [];
  });
  const head = line(['flow', ...columns.map(({ name }) => name)]);
  return [head, line(['---', ...columns.map(() => '---')]), ...rows, ''].join('\n');
}
const text = `${words('data', data)}\n${words('energy', targets)}`;
writeFileSync(join(options.out, 'table.md'), text);
console.log(`\n${text}`);
console.log(
  ['index.html', 'table.md', 'sheet.png'].map((name) => join(options.out, name)).join(' '),
);
