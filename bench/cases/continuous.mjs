// Continuous flows, at the sizes of bench/peers/continuous.py: 6 features, batches of 256, 8 steps of Runge–Kutta 4.
import flow from '../../dist/index.js';
import { noise, trainingStep } from './step.mjs';

const [features, batch] = [6, 256];

function stepOf(hidden, trainingTrace, loss = flow.negativeLogLikelihood) {
  const model = flow.ffjord({
    ...{ features, hidden, activation: 'softplus', seed: 1 },
    ...{ training: { method: 'rk4', steps: 8 }, trainingTrace },
  });
  return trainingStep(model, noise(batch, features), { loss });
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
