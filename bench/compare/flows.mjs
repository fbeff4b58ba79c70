// One row a flow of the library: what it is made of for a table of `features` columns. Add a row for each new recipe; those
// that cannot be made of one column say so by `least`.

/** Affine maps of all columns at once: the Gaussian that fits best. */
function gaussian(flow, features) {
  return new flow.Flow({
    base: new flow.StandardNormal(features),
    bijection: new flow.TriangularLinear({ channels: features, bias: true }),
  });
}

export function comparedFlows(flow, { features, hidden }) {
  const of = { features, seed: 1 };
  const few = 3e-3; // where a step is dear, and their number small
  const network = { ...of, hidden };
  const spline = (kind) => ({ spline: { kind, bins: 8, bound: 5 } });
  const nsf = (kind) => () => flow.nsf({ ...network, transforms: 5, ...spline(kind) });
  return [
    { name: 'Gaussian, full covariance', lr: 1e-2, make: () => gaussian(flow, features) },
    { name: 'planar × 32', lr: 3e-3, make: () => flow.planar({ ...of, transforms: 32 }) },
    { name: 'radial × 32', lr: 3e-3, make: () => flow.radial({ ...of, transforms: 32 }) },
    ...['orthogonal', 'householder', 'triangular'].map((basis) => ({
      name: `Sylvester × 8, ${basis}`,
      lr: 3e-3,
      make: () => flow.sylvester({ ...of, transforms: 8, basis }),
    })),
    { name: 'NICE × 6', least: 2, make: () => flow.nice({ ...network, transforms: 6 }) },
    { name: 'RealNVP × 8', least: 2, make: () => flow.realnvp({ ...network, transforms: 8 }) },
    {
      name: 'RealNVP × 8, random orders',
      least: 2,
      make: () => flow.realnvp({ ...network, transforms: 8, permutation: 'random' }),
    },
    ...Object.entries({
      "Student's t": () => new flow.StudentT({ features }),
      'a mixture of 10': () => new flow.GaussianMixture(features, 10, 'float32', 1),
      LARS: () => new flow.Resampled({ features, hidden, seed: 1 }),
    }).map(([name, base]) => ({
      name: `RealNVP × 8, base ${name}`,
      least: 2,
      make: () => flow.realnvp({ ...network, transforms: 8, base: base() }),
    })),
    { name: 'MADE', make: () => flow.made(network) },
    { name: 'MAF × 5', make: () => flow.maf({ ...network, transforms: 5 }) },
    {
      name: 'MAF × 5, batch norm',
      make: () => flow.maf({ ...network, transforms: 5, batchNorm: true }),
    },
    { name: 'IAF × 5', make: () => flow.iaf({ ...network, transforms: 5 }) },
    { name: 'NSF-C × 5, rational-quadratic', least: 2, make: nsf('rationalQuadratic') },
    { name: 'NSF-C × 5, quadratic', least: 2, make: nsf('quadratic') },
    { name: 'NSF-C × 5, cubic', least: 2, make: nsf('cubic') },
    { name: 'NSF-C × 5, linear', least: 2, make: nsf('linear') },
    {
      name: 'NSF-AR × 5, rational-quadratic',
      make: () =>
        flow.nsfAutoregressive({ ...network, transforms: 5, ...spline('rationalQuadratic') }),
    },
    {
      name: 'Flow++ × 5',
      least: 2,
      make: () => flow.flowpp({ ...network, transforms: 5, components: 8 }),
    },
    { name: 'NAF × 3 (DSF)', make: () => flow.naf({ ...network, transforms: 3, sigmoids: 8 }) },
    {
      name: 'NAF × 2 (DDSF)',
      lr: few,
      make: () => flow.naf({ ...network, transforms: 2, sigmoids: 8, sigmoidLayers: 2 }),
    },
    { name: 'sum of squares × 3', make: () => flow.sosFlow({ ...network, transforms: 3 }) },
    { name: 'Bernstein × 3', make: () => flow.bernsteinFlow({ ...network, transforms: 3 }) },
    {
      name: 'UMNN × 1',
      lr: few,
      make: () =>
        flow.umnn({ ...network, transforms: 1, integrand: [32, 32], quadratureSteps: 16 }),
    },
    // The paper's rate: its weights are logarithms.
    { name: 'block NAF × 1', lr: 1e-2, make: () => flow.blockNaf({ ...of, transforms: 1 }) },
    {
      name: 'FFJORD',
      lr: few,
      make: () => flow.ffjord({ ...network, regularization: { kinetic: 0.01 } }),
    },
    {
      name: 'FFJORD by flow matching',
      loss: flow.flowMatching(),
      lr: 3e-3,
      make: () => flow.ffjord(network),
    },
    {
      name: 'residual flow × 10',
      make: () => flow.residualFlow({ ...of, transforms: 10, hidden: hidden.map(() => 128) }),
    },
  ];
}
