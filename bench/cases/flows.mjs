// The cases of the flow families: training steps, scoring and sampling at the sizes that the peers run (bench/peers/peer.py
// has the same table). A step is the one that fit runs: recorded once, then replayed in one native call.
import flow from '../../dist/index.js';
import { noise, trainingStep } from './step.mjs';

const sizes = {
  maf: { features: 63, hidden: [512, 512], batch: 256 },
  'maf-small': { features: 6, hidden: [100, 100], batch: 256 },
  'maf-mnist': { features: 784, hidden: [1024], batch: 128 },
  naf: { features: 63, hidden: [256, 256], batch: 256 },
  nsf: { features: 63, hidden: [256, 256], batch: 256 },
  umnn: { features: 63, hidden: [256, 256], batch: 256 },
  bnaf: { features: 63, hidden: [8, 8], batch: 256 },
  flowpp: { features: 64, hidden: [256, 256], batch: 256 },
  realnvp: { features: 64, hidden: [256, 256], batch: 256 },
  glow: { features: 3072, transforms: 8, hidden: 128, batch: 16 },
  'glow-wide': { features: 3072, transforms: 4, hidden: 512, batch: 16 },
};

/** Images of 32 × 32 × 3, three scales, fixed priors, networks without actnorm, as the peers have it. */
function glow({ transforms, hidden }) {
  return flow.glow({
    image: { height: 32, width: 32, channels: 3 },
    scales: 3,
    transforms,
    hidden,
    networkActNorm: false,
    learnedPrior: false,
    zeroInitialized: false,
    preprocessing: null,
    dequantization: null,
    seed: 1,
  });
}

function model(name) {
  const { features, hidden } = sizes[name];
  if (name.startsWith('glow')) return glow(sizes[name]);
  // s = exp(tanh(raw)), as the peer has it, without a learned gain.
  if (name === 'realnvp') {
    const scale = { kind: 'tanh', learned: false };
    return flow.realnvp({
      features,
      hidden,
      transforms: 8,
      scale,
      zeroInitialized: false,
      seed: 1,
    });
  }
  if (name === 'naf') {
    const sizes = { transforms: 3, sigmoids: 8 };
    return flow.naf({ features, hidden, ...sizes, zeroInitialized: false, seed: 1 });
  }
  if (name === 'nsf') {
    const sizes = { transforms: 5, spline: { bins: 8, bound: 3 } };
    return flow.nsfAutoregressive({ features, hidden, ...sizes, zeroInitialized: false, seed: 1 });
  }
  if (name === 'umnn')
    return flow.umnn({ features, hidden, transforms: 3, zeroInitialized: false, seed: 1 });
  if (name === 'bnaf') return flow.blockNaf({ features, hidden, transforms: 3, seed: 1 });
  if (name === 'flowpp') {
    const sizes = { transforms: 8, components: 8, permutation: 'swap', actNorm: false };
    return flow.flowpp({ features, hidden, ...sizes, zeroInitialized: false, seed: 1 });
  }
  // tanh with bound 1: a = tanh(raw), as the peers have it. Their last layers start at random, so ours do too.
  return flow.maf({
    features,
    hidden,
    transforms: 5,
    scale: { kind: 'tanh', bound: 1 },
    zeroInitialized: false,
    seed: 1,
  });
}

/** Bits, one draw of the ELBO; last layers at random, as the peer's are. */
function iafVaeStep() {
  const features = 784;
  const model = flow.vae({
    features,
    latents: 32,
    hidden: [512, 512],
    posterior: { transforms: 4, hidden: [320, 320], contextFeatures: 64 },
    seed: 1,
  });
  const stream = new flow.RandomStream(5);
  const x = stream.bernoulli(flow.full([100, features], 0.13, 'float32'));
  return trainingStep(model, x, { stream });
}

const work = {
  step(name) {
    const { batch, features } = sizes[name];
    return trainingStep(model(name), noise(batch, features));
  },
  /** Of 16 images, or of the noise that they are mapped to: as they come in sampling. */
  through(name, direction) {
    const { batch, features } = sizes[name];
    const trained = model(name);
    const x = noise(batch, features);
    if (direction === 'forward') return () => flow.scope(() => void trained.forward(x));
    const { y } = trained.forward(x);
    return () => flow.scope(() => void trained.inverse(y));
  },
  logProb(name, rows = sizes[name].batch) {
    const maf = model(name);
    const x = noise(rows, sizes[name].features);
    return () => maf.logProb(x).dispose();
  },
  sample(name, rows) {
    const maf = model(name);
    return () => maf.sample(rows, { seed: 3 }).dispose();
  },
};

/** Other libraries that have the flow: bench/peers/libraries.py. */
const libraries = {
  maf: ['zuko', 'normflows'],
  'maf-small': ['zuko', 'normflows'],
  naf: ['zuko'],
  nsf: ['zuko', 'normflows'],
};
const peer = (name) => ({ name, libraries: libraries[name.split(':')[0]] });

export const flowCases = [
  { name: 'maf:step', setUp: () => work.step('maf') },
  { name: 'maf-small:step', setUp: () => work.step('maf-small') },
  { name: 'maf-mnist:step', setUp: () => work.step('maf-mnist') },
  { name: 'naf:step', setUp: () => work.step('naf') },
  { name: 'naf:logProb', setUp: () => work.logProb('naf') },
  { name: 'nsf:step', setUp: () => work.step('nsf') },
  { name: 'nsf:logProb', setUp: () => work.logProb('nsf') },
  { name: 'flowpp:step', setUp: () => work.step('flowpp') },
  { name: 'realnvp:step', setUp: () => work.step('realnvp') },
  { name: 'glow:step', setUp: () => work.step('glow') },
  { name: 'glow-wide:step', setUp: () => work.step('glow-wide') },
  { name: 'iaf-vae:step', setUp: iafVaeStep },
  { name: 'maf:logProb', setUp: () => work.logProb('maf') },
  { name: 'maf:sample1000', setUp: () => work.sample('maf', 1000) },
  { name: 'maf-mnist:sample16', setUp: () => work.sample('maf-mnist', 16) },
].map((one) => ({ ...one, peer: peer(one.name) }));
// Compiled, PyTorch's loop over the dimensions is compiled anew for each of them.
for (const [name, rows] of [
  ['naf', 64],
  ['umnn', 64],
  ['bnaf', 64],
  ['nsf', 1000],
])
  flowCases.push({
    name: `${name}:sample${rows}`,
    setUp: () => work.sample(name, rows),
    peer: { ...peer(`${name}:sample${rows}`), variants: ['eager'] },
  });

// Drawing 1000 samples against scoring 1000 rows: the incremental inverse should cost about one forward pass.
flowCases.push({
  name: 'maf:sample1000-against-logProb1000',
  setUp: () => ({
    run: work.sample('maf', 1000),
    against: [{ name: 'logProb', run: work.logProb('maf', 1000) }],
  }),
  rates: (ms, { against }) => ({
    logProbMs: against.logProb.median,
    timesLogProb: ms / against.logProb.median,
  }),
});

// Glow both ways: the networks are the same, so the inverse should cost about one forward pass.
for (const name of ['glow', 'glow-wide']) {
  flowCases.push({
    name: `${name}:inverse-against-forward`,
    setUp: () => ({
      run: work.through(name, 'inverse'),
      against: [{ name: 'forward', run: work.through(name, 'forward') }],
    }),
    rates: (ms, { against }) => ({
      forwardMs: against.forward.median,
      timesForward: ms / against.forward.median,
    }),
  });
}
