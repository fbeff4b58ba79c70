// Over the host emulation: launches of the training steps at small sizes, and what kernels move over what they must. One JSON line each.
import flow from '../../dist/index.js';
import { Learner, Step } from '../../dist/train/step.js';
import { native } from '../instruction.mjs';
import { kernelRows, launches } from './gpu.mjs';

flow.setDevice('cuda');
const print = (line) => console.log(JSON.stringify(line));

/** The families of the bench with few features and units: launches depend on layers, and hardly on sizes. */
const image = { height: 8, width: 8, channels: 2 };
const models = {
  'MAF of 5': () => flow.maf({ features: 6, transforms: 5, hidden: [16, 16], seed: 1 }),
  'RealNVP of 8': () => flow.realnvp({ features: 6, transforms: 8, hidden: [16, 16], seed: 1 }),
  'Glow, 2 scales of 2': () =>
    flow.glow({
      ...{ image, scales: 2, transforms: 2, hidden: 8, networkActNorm: false },
      ...{ preprocessing: null, seed: 1 },
    }),
};
for (const [name, make] of Object.entries(models)) {
  const model = make();
  const stream = new flow.RandomStream(5);
  const x = stream.normal([20, model.features]);
  const optimizer = flow.adam({ lr: 1e-4 });
  const settings = { optimizer, clipNorm: Infinity, ema: null, stream, compile: true };
  const loss = () => flow.negativeLogLikelihood({ model, x, context: null, stream });
  const step = new Step(new Learner(model, settings), loss, 20);
  step.run();
  const before = launches();
  const graphs = native.cudaGet('graphLaunches');
  step.run();
  print({
    step: name,
    launches: launches() - before,
    graphs: native.cudaGet('graphLaunches') - graphs,
  });
}

/** Beyond this an emulated kernel takes more than moments. */
const mostBytes = 32 << 20;
const there = new Set(native.cudaOps());
/** Waits for what was queued. */
const settle = () => {
  native.cudaSet('clockStop', 1);
  native.cudaGet('clockMs');
};
for (const row of kernelRows) {
  const { bytes } = row.cost;
  if (!bytes || bytes > mostBytes || !there.has(row.op)) continue;
  const kernel = row.name.replace(/^kernel:/, '');
  try {
    const made = row.setUp();
    settle();
    native.cudaSet('clearCounters', 1);
    made.run();
    settle();
    const moved = native.cudaGet('loaded') + native.cudaGet('stored');
    print({
      kernel,
      bytesOverFloor: moved / bytes,
      by16: (16 * native.cudaGet('wide')) / moved,
      launches: native.cudaGet('launches'),
    });
  } catch (error) {
    print({ kernel, failed: error.message });
  }
  row.dispose?.();
}
