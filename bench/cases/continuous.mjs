// Continuous flows, at the sizes of bench/peers/continuous.py: 6 features, batches of 256, 8 steps of Runge–Kutta 4.
import flow from '../../dist/index.js';
import { Learner, Step } from '../../dist/train/step.js';

const [features, batch] = [6, 256];

function stepOf(hidden, trainingTrace, loss = flow.negativeLogLikelihood) {
  const model = flow.ffjord({
    ...{ features, hidden, activation: 'softplus', seed: 1 },
    ...{ training: { method: 'rk4', steps: 8 }, trainingTrace },
  });
  model.train();
  const stream = new flow.RandomStream(7);
  const x = stream.normal([batch, features], 'float32');
  const learner = new Learner(model, {
    optimizer: flow.adam({ lr: 1e-4 }),
    clipNorm: Infinity,
    ema: null,
    stream,
    compile: true,
  });
  const step = new Step(learner, () => loss({ model, x, context: null, stream }), batch);
  return () => step.run();
}

const probe = { kind: 'hutchinson' };
const cases = {
  'ffjord:step': () => stepOf([64, 64, 64], probe),
  'ffjord-exact:step': () => stepOf([64, 64], { kind: 'exact' }),
  'flow-matching:step': () => stepOf([64, 64, 64], probe, flow.flowMatching()),
};

export const continuousCases = Object.entries(cases).map(([name, setUp]) => ({
  ...{ name, setUp },
  peer: { name, variants: ['eager'] },
}));
