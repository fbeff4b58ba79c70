// Memory and time of a Glow step whose activations are rebuilt by the inverse, against the taped one: 32×32×3, three scales, hidden
// 128, batch 16.
//
// activationMiB: the most that a step holds at once beside the weights, their moments and their gradients, which grow with
// depth in any mode; stepMiB: with the gradients.
import flow from '../../dist/index.js';
import { MemoryPlan } from '../../dist/train/memoryPlan.js';
import { Learner, Step } from '../../dist/train/step.js';

const image = { height: 32, width: 32, channels: 3 };
const batch = 16;
const mebi = 2 ** 20;

function glowStep(transforms, memory) {
  const model = flow.glow({
    image,
    scales: 3,
    transforms,
    hidden: 128,
    networkActNorm: false,
    zeroInitialized: false,
    seed: 1,
  });
  const stream = new flow.RandomStream(7);
  const x = stream.normal([batch, image.height * image.width * image.channels], 'float32');
  const plan = new MemoryPlan(memory, 1e-3, console.error);
  const learner = new Learner(model, {
    optimizer: flow.adam({ lr: 1e-5 }),
    clipNorm: Infinity,
    ema: null,
    stream,
    compile: true,
    memory: plan,
  });
  const loss = () => flow.negativeLogLikelihood({ model, x, context: null });
  const step = new Step(learner, loss, batch);
  const dispose = () => {
    step.dispose();
    learner.dispose();
    model.dispose();
    x.dispose();
    stream.dispose();
  };
  return { step, plan, dispose, parameters: model.parameters() };
}

/** The most that one step holds, in MiB. */
function peak(transforms, memory) {
  const { step, plan, dispose, parameters } = glowStep(transforms, memory);
  flow.trimMemory();
  const before = flow.memory().bytes;
  for (let k = 0; k < 3; k++) step.run();
  const held = flow.memory().peakBytes - before;
  const gradients = parameters.reduce((sum, parameter) => sum + 4 * parameter.size, 0);
  const report = { step: held / mebi, activations: (held - gradients) / mebi, drift: plan.drift };
  dispose();
  return report;
}

export const memoryCases = [
  {
    name: 'memory:glow K=8 rebuilt',
    setUp() {
      const [rebuilt, taped] = ['invertible', 'taped'].map((memory) => glowStep(8, memory).step);
      return { run: () => rebuilt.run(), against: [{ name: 'taped', run: () => taped.run() }] };
    },
    rates: (ms, { against }) => ({
      tapedMs: against.taped.median,
      timesTaped: ms / against.taped.median,
    }),
  },
  ...['invertible', 'checkpoints', 'taped'].map((memory) => ({
    name: `memory:glow ${memory}`,
    setUp() {
      this.peaks = [4, 32].map((transforms) => peak(transforms, memory));
      const { step } = glowStep(4, memory);
      return () => step.run();
    },
    rates() {
      const [shallow, deep] = this.peaks;
      return {
        activationMiB: deep.activations,
        activationsDeepToShallow: deep.activations / shallow.activations,
        stepMiB: deep.step,
        stepDeepToShallow: deep.step / shallow.step,
        drift: deep.drift,
      };
    },
  })),
];
