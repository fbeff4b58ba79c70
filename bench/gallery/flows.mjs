// One row a flow of the library: how it is made for a density of two dimensions. `samples`: whether it can be trained by its
// own draws (reverse KL), with what it takes for that; `loss`, `times`: another loss, so many times as many steps. Add a row for each new recipe.
export function galleryFlows(flow) {
  const two = { features: 2 };
  return [
    {
      name: 'planar × 16',
      make: (seed) => flow.planar({ ...two, transforms: 16, seed }),
      lr: 5e-3,
    },
    {
      name: 'radial × 16',
      make: (seed) => flow.radial({ ...two, transforms: 16, seed }),
      lr: 5e-3,
    },
    {
      name: 'Sylvester × 8',
      make: (seed) => flow.sylvester({ ...two, transforms: 8, basis: 'orthogonal', seed }),
      lr: 5e-3,
    },
    { name: 'NICE', make: (seed) => flow.nice({ ...two, transforms: 6, hidden: [64, 64], seed }) },
    {
      name: 'RealNVP',
      make: (seed) => flow.realnvp({ ...two, transforms: 8, hidden: [64, 64], seed }),
    },
    { name: 'MAF', make: (seed) => flow.maf({ ...two, transforms: 6, hidden: [64, 64], seed }) },
    {
      name: 'NSF-C, rational-quadratic',
      make: (seed) => flow.nsf({ ...two, transforms: 4, hidden: [64, 64], ...box(), seed }),
    },
    {
      name: 'NSF-AR, rational-quadratic',
      make: (seed) =>
        flow.nsfAutoregressive({ ...two, transforms: 3, hidden: [64, 64], ...box(), seed }),
    },
    ...['quadratic', 'cubic', 'linear'].map((kind) => ({
      name: `NSF-C, ${kind}`,
      make: (seed) => flow.nsf({ ...two, transforms: 4, hidden: [64, 64], ...box(kind), seed }),
    })),
    {
      name: 'Flow++',
      make: (seed) => flow.flowpp({ ...two, transforms: 4, hidden: [64, 64], components: 8, seed }),
    },
    {
      name: 'NAF (DSF)',
      make: (seed) => flow.naf({ ...two, transforms: 3, hidden: [64, 64], sigmoids: 8, seed }),
      reverse: false,
    },
    {
      name: 'sum of squares',
      make: (seed) => flow.sosFlow({ ...two, transforms: 4, hidden: [64, 64], seed }),
      reverse: false,
    },
    {
      name: 'Bernstein',
      make: (seed) => flow.bernsteinFlow({ ...two, transforms: 3, hidden: [64, 64], seed }),
      reverse: false,
    },
    {
      name: 'UMNN',
      make: (seed) => flow.umnn({ ...two, transforms: 3, hidden: [64, 64], seed }),
      reverse: false,
      slow: true,
    },
    {
      name: 'block NAF',
      make: (seed) => flow.blockNaf({ ...two, seed }),
      lr: 1e-2,
      reverse: false,
      slow: true,
    },
    {
      name: 'FFJORD',
      make: (seed) => flow.ffjord({ ...two, hidden: [64, 64], regularization: energy, seed }),
      lr: 5e-3,
      slow: true,
    },
    {
      name: 'FFJORD by flow matching',
      make: (seed) => flow.ffjord({ ...two, hidden: [128, 128], seed }),
      // A step is a pass of the network: an eighth of the time of the others' with as many steps.
      ...{ loss: flow.flowMatching(), lr: 5e-3, times: 8 },
      reverse: false,
    },
    {
      name: 'residual flow × 8',
      // A block bends by less than coefficient³: near 1, as the paper's for images, eight of them suffice.
      make: (seed) =>
        flow.residualFlow({ ...two, transforms: 8, hidden: [64, 64], coefficient: 0.98, seed }),
      lr: 1e-2,
      reverse: false,
      slow: true,
    },
  ];
}

const energy = { kinetic: 0.01 };
const box = (kind = 'rationalQuadratic') => ({ spline: { kind, bins: 12, bound: 4 } });
