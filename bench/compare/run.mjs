// Every flow of the library on one table, with the same time to learn each: held-out nats, parameters, times.
//
//   npm run compare                                 MNIST's first 43 principal components; 60 s a flow, about 35 minutes
//   npm run compare -- --data file.csv              a file of the user's: CSV, NPY, Parquet; --columns a,b --exclude c
//   npm run compare -- --seconds 10 --only MAF,NSF  less time, some flows
//
// A second is one of the processor, so that other work on the machine takes no steps away (one thread, unless --threads says
// otherwise). Each flow gets as many steps as fit, Adam with a short warm-up and a cosine, and keeps its best weights on
// the validation rows. Writes OUT/results.json, table.md, chart.svg (default runs/compare/…) after each flow; a run that was stopped
// goes on with the same command, in the middle of a flow by its checkpoint; what failed is tried again.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';
import { earlierResults, writeResults } from '../results.mjs';
import { chart } from './chart.mjs';
import { mnistComponents, tableOf } from './data.mjs';
import { comparedFlows } from './flows.mjs';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    columns: { type: 'string' },
    exclude: { type: 'string' },
    components: { type: 'string', default: '43' },
    seconds: { type: 'string', default: '60' },
    hidden: { type: 'string', default: '256,256' },
    batch: { type: 'string', default: '256' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
flow.setThreads(Number(options.threads));
const seconds = Number(options.seconds);
if (!(seconds > 0)) {
  console.error(`[compare] --seconds: expected a number above 0, got ${options.seconds}`);
  process.exit(2);
}
const hidden = options.hidden.split(',').map(Number);
const isMnist = options.data === undefined;
const label = isMnist
  ? `mnist-${options.components}`
  : basename(options.data, extname(options.data));
const out = options.out ?? join('runs', 'compare', label);
mkdirSync(out, { recursive: true });

const data = isMnist
  ? await mnistComponents(flow, Number(options.components))
  : await tableOf(flow, options.data, {
      columns: options.columns?.split(','),
      exclude: options.exclude?.split(','),
    });
const features = data.cols;
const rows = { train: data.train.length / features, test: data.test.length / features };
const batchSize = Math.min(Number(options.batch), rows.train);
if (data.discrete?.length > 0)
  console.error(
    `[compare] ${data.discrete.join(', ')}: expected columns of many values, got 20 or fewer: a density becomes infinite on them; leave them out by --exclude`,
  );

const settings = {
  data: data.name,
  columns: options.columns ?? null,
  exclude: options.exclude ?? null,
  seconds,
  hidden,
  batchSize,
  rows,
};
const resultsPath = join(out, 'results.json');
const results = earlierResults(resultsPath, settings) ?? {
  settings,
  threads: Number(options.threads),
  done: {},
  running: null,
};
const save = () => writeResults(resultsPath, results);

const checkpoint = join(out, 'checkpoint.safetensors');
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
/** Seconds of the processor since the start. */
const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const learning = (lr, steps) => {
  const warmUp = Math.ceil(steps / 50);
  return {
    batchSize,
    steps,
    dropLast: rows.train >= batchSize,
    optimizer: flow.adam({ lr }),
    schedule: flow.linearWarmup({ steps: warmUp }, flow.cosine({ steps: steps - warmUp + 1 })),
    clipNorm: 50,
    seed: 1,
    onWarning: () => {},
  };
};

/** How many steps fit into the time, by the median of some, on a copy; and that median. */
async function stepsThatFit({ make, lr = 1e-3, loss = null }) {
  const model = make();
  const times = [];
  let last = 0;
  const stop = new AbortController();
  const most = Math.min(seconds / 10, 4);
  const start = spent();
  await flow.fit(model, data.train, {
    ...learning(lr, 200),
    ...(loss && { loss }),
    signal: stop.signal,
    onStep() {
      const now = spent();
      if (last > 0) times.push(now - last);
      last = now;
      if (times.length >= 3 && now - start > most) stop.abort();
    },
  });
  model.dispose();
  // The first ones are recorded and compiled.
  const step = median(times.slice(Math.floor(times.length / 2)));
  return { steps: Math.max(20, Math.floor(seconds / step)), stepMs: 1000 * step };
}

async function train(row) {
  const { name, make, lr = 1e-3, loss = null } = row;
  if (results.running?.name !== name) {
    rmSync(checkpoint, { force: true });
    results.running = { name, ...(await stepsThatFit(row)) };
    save();
  }
  const { steps } = results.running;
  const stepsPerEpoch = Math.max(1, Math.floor(rows.train / batchSize));
  const epochs = Math.ceil(steps / stepsPerEpoch);
  const model = make();
  const times = [];
  let last = null;
  const { best, history } = await flow.fit(model, data.train, {
    ...learning(lr, steps),
    ...(loss && { loss }),
    validation: data.validation,
    validateEvery: Math.max(1, Math.floor(epochs / 15)),
    patience: Number.MAX_SAFE_INTEGER,
    checkpoint: { path: checkpoint, everySeconds: 20 },
    ...(existsSync(checkpoint) && { resume: checkpoint }),
    onStep() {
      const now = spent();
      if (last !== null) times.push(now - last);
      last = now;
    },
  });
  const stepMs = times.length > 0 ? 1000 * median(times) : results.running.stepMs;
  return { model, steps, stepMs, best: best ?? history.at(-1) };
}

/** Milliseconds of 1000 draws, by as many as a slow flow allows, and how many rows were not inverted. */
function timeSamples(model) {
  const time = (count) => {
    const start = spent();
    const report = { unsolved: 0 };
    flow.scope(() => {
      const onSolve = (solve) => {
        report.unsolved = flow.unsolvedRows(solve);
      };
      model.sample(count, { seed: 1, onSolve, onWarning: () => {} }).dataSync();
    });
    return { ms: ((spent() - start) * 1e6) / count, count, ...report };
  };
  time(10);
  const few = time(20);
  return few.ms > 10_000 ? few : time(1000);
}

async function measure(row) {
  if (results.done[row.name] && !results.done[row.name].failed) return;
  try {
    const { model, steps, stepMs, best } = await train(row);
    const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
    const test = await flow.evaluate(model, data.test);
    results.done[row.name] = {
      nats: test.logProbModel,
      error: test.standardError,
      validation: best?.validationLogProbModel ?? null,
      parameters,
      steps,
      stepMs,
      sample: timeSamples(model),
    };
    model.dispose();
  } catch (error) {
    results.done[row.name] = { failed: String(error.message ?? error) };
  }
  results.running = null;
  rmSync(checkpoint, { force: true });
  save();
  write();
  const { failed, nats, error } = results.done[row.name];
  console.error(`${row.name}: ${failed ?? `${nats.toFixed(3)} ± ${error.toFixed(3)} nats`}`);
}

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** The table, the best first, in words and as a picture. */
function write() {
  const all = Object.entries(results.done).map(([name, result]) => ({ name, ...result }));
  const ranked = all.filter(({ nats }) => Number.isFinite(nats)).sort((a, b) => b.nats - a.nats);
  const lines = ranked.map(({ name, nats, error, parameters, steps, stepMs, sample }) => {
    const unsolved = sample.unsolved ? ` (${sample.unsolved} of ${sample.count} not inverted)` : '';
    const cells = [
      name,
      `${nats.toFixed(2)} ± ${error.toFixed(2)}`,
      parameters.toLocaleString('en'),
      number(stepMs),
      steps.toLocaleString('en'),
      number(sample.ms) + unsolved,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const text = [
    `# Every flow on ${data.name}`,
    '',
    `${rows.train.toLocaleString('en')} rows of ${features} standardised columns to learn from, ${rows.test.toLocaleString('en')} to test; ${seconds} s of ${results.threads === 1 ? 'one core' : `${results.threads} cores`} each, batches of ${batchSize}, hidden layers of ${hidden.join(' and ')}.`,
    '',
    '| flow | test nats ± s.e. | parameters | ms a step | steps | ms for 1000 samples |',
    '|---|---|---|---|---|---|',
    ...lines,
    ...all
      .filter(({ nats }) => !Number.isFinite(nats))
      .map(({ name, failed }) => `| ${name} | ${failed ?? 'not finite'} | | | | |`),
    '',
  ].join('\n');
  writeFileSync(join(out, 'table.md'), text);
  writeFileSync(join(out, 'chart.svg'), chart(`Test nats on ${data.name}`, ranked));
  return text;
}

const wanted = options.only?.split(',').filter((part) => part !== '');
for (const row of comparedFlows(flow, { features, hidden })) {
  if (wanted && !wanted.some((part) => row.name.includes(part))) continue;
  if ((row.least ?? 1) <= features) await measure(row);
}
console.log(write());
console.log(join(out, 'table.md'), join(out, 'chart.svg'));
