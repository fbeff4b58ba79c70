// Residual flows and invertible convolutions, at the sizes of bench/peers/residual.py.
import flow from '../../dist/index.js';
import { noise, trainingStep } from './step.mjs';

/** Four blocks of 64 → 128 → 128 → 128 → 64, unbiased log-dets: two terms and a Poisson of rate 2, one probe. */
function residualStep() {
  const [features, batch] = [64, 256];
  const model = flow.residualFlow({
    features,
    transforms: 4,
    hidden: [128, 128, 128],
    training: { kind: 'roulette', length: { kind: 'poisson', rate: 2 }, exactTerms: 2 },
    actNorm: false,
    iterations: 1,
    seed: 1,
  });
  return trainingStep(model, noise(batch, features));
}

const image = { height: 16, width: 16, channels: 12 };
const images = 16;
const rows = () => noise(images, 16 * 16 * 12, 3);

/** Forward and all gradients. */
function convStep(map) {
  const x = rows();
  const run = () => {
    const { y, logDet } = map.forward(x);
    return flow.add(flow.sum(flow.square(y), undefined, { dtype: 'float64' }), flow.sum(logDet));
  };
  const leaves = [x, ...map.parameters()];
  const program = flow.record(() => flow.valueAndGradient(run, leaves));
  return () => program.run();
}

function convInverse(map) {
  const y = rows();
  const program = flow.record(() => map.inverse(y));
  return () => program.run();
}

const maps = {
  emerging: () => flow.emergingConv({ image, seed: 1 }),
  periodic: () => new flow.PeriodicConv({ image, seed: 1 }),
};

const peer = (name) => ({ name, variants: ['eager'] });
const withLibraries = (name) => ({ ...peer(name), libraries: ['normflows'] });

export const residualCases = [
  { name: 'residual:step', setUp: residualStep, peer: withLibraries('residual:step') },
  ...['emerging', 'periodic'].flatMap((kind) => [
    { name: `${kind}:step`, setUp: () => convStep(maps[kind]()), peer: peer(`${kind}:step`) },
    {
      name: `${kind}:inverse`,
      setUp: () => convInverse(maps[kind]()),
      peer: peer(`${kind}:inverse`),
    },
  ]),
];
