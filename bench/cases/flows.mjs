// The cases of the flow families: training steps, scoring and sampling at the sizes that the peers run (bench/peers/peer.py
// has the same table). A step is the one that fit runs: recorded once, then replayed in one native call.
import flow from '../../dist/index.js';
import { Learner, Step } from '../../dist/train/step.js';

const sizes = {
  maf: { features: 63, hidden: [512, 512], batch: 256 },
  'maf-small': { features: 6, hidden: [100, 100], batch: 256 },
  'maf-mnist': { features: 784, hidden: [1024], batch: 128 },
  realnvp: { features: 64, hidden: [256, 256], batch: 256 },
};

function model(name) {
  const { features, hidden } = sizes[name];
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

function noise(rows, features) {
  const stream = new flow.RandomStream(7);
  const x = stream.normal([rows, features], 'float32');
  stream.dispose();
  return x;
}

const work = {
  step(name) {
    const { batch, features } = sizes[name];
    const trained = model(name);
    const x = noise(batch, features);
    const learner = new Learner(trained, {
      optimizer: flow.adam({ lr: 1e-4 }),
      clipNorm: Infinity,
      ema: null,
      stream: new flow.RandomStream(5),
      compile: true,
    });
    const loss = () => flow.negativeLogLikelihood({ model: trained, x, context: null });
    const step = new Step(learner, loss, batch);
    return () => step.run();
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

const peer = (name) => ({ name });

export const flowCases = [
  { name: 'maf:step', setUp: () => work.step('maf') },
  { name: 'maf-small:step', setUp: () => work.step('maf-small') },
  { name: 'maf-mnist:step', setUp: () => work.step('maf-mnist') },
  { name: 'realnvp:step', setUp: () => work.step('realnvp') },
  { name: 'maf:logProb', setUp: () => work.logProb('maf') },
  { name: 'maf:sample1000', setUp: () => work.sample('maf', 1000) },
  { name: 'maf-mnist:sample16', setUp: () => work.sample('maf-mnist', 16) },
].map((one) => ({ ...one, peer: peer(one.name) }));

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
