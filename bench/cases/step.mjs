// A training step as fit runs it: recorded once, then replayed in one native call; by Adam, without clipping.
import flow from '../../dist/index.js';
import { Learner, Step } from '../../dist/train/step.js';

/**
 * () => one step of `model` on `x`. Which numbers does not matter to its time.
 *
 * @param settings loss: default the negative log-likelihood; stream: of what the loss draws; more: other options of the learner
 */
export function trainingStep(model, x, { loss = flow.negativeLogLikelihood, ...more } = {}) {
  const { stream = new flow.RandomStream(5), ...options } = more;
  model.train();
  const learner = new Learner(model, {
    optimizer: flow.adam({ lr: 1e-4 }),
    clipNorm: Infinity,
    ema: null,
    stream,
    compile: true,
    ...options,
  });
  const step = new Step(learner, () => loss({ model, x, context: null, stream }), x.rows);
  return () => step.run();
}

/** Standard normal rows, float32. */
export function noise(rows, columns, seed = 7) {
  const stream = new flow.RandomStream(seed);
  const x = stream.normal([rows, columns], 'float32');
  stream.dispose();
  return x;
}
