// The usual densities of two dimensions, each with its logarithm, so that a Kullback–Leibler divergence is a number and no
// score. What others draw along a curve with noise is here a mixture of narrow Gaussians along it: it looks the same, and its
// density is known. The energies are those of Rezende and Mohamed 2015, table 1, with soft walls where the paper's have no end.

/** Uniform numbers from a seed (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
function normalOf(random) {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const logSumExp = (values) => {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
};

/** Gaussians of equal weight, with one deviation each way or (across, along, angle) each. */
function mixture(name, centres, deviation, shapes = null) {
  const logOf = (x, y, k) => {
    const [across, along, angle] = shapes ? shapes[k] : [deviation, deviation, 0];
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const [dx, dy] = [x - centres[k][0], y - centres[k][1]];
    const [u, v] = [(c * dx + s * dy) / along, (c * dy - s * dx) / across];
    return -0.5 * (u * u + v * v) - Math.log(2 * Math.PI * across * along);
  };
  return {
    name,
    logDensity: (x, y) =>
      logSumExp(centres.map((_, k) => logOf(x, y, k))) - Math.log(centres.length),
    sample(count, seed) {
      const random = randomOf(seed);
      const normal = normalOf(random);
      return Array.from({ length: count }, () => {
        const k = Math.floor(random() * centres.length);
        const [across, along, angle] = shapes ? shapes[k] : [deviation, deviation, 0];
        const [u, v] = [along * normal(), across * normal()];
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        return [centres[k][0] + c * u - s * v, centres[k][1] + s * u + c * v];
      });
    },
  };
}

const along = (count, point) => Array.from({ length: count }, (_, k) => point((k + 0.5) / count));
const circle = (radius, angle, x = 0, y = 0) => [
  x + radius * Math.cos(angle),
  y + radius * Math.sin(angle),
];

const moons = mixture(
  'two moons',
  [
    ...along(60, (t) => circle(1.6, Math.PI * t, -0.8, -0.4)),
    ...along(60, (t) => circle(1.6, -Math.PI * t, 0.8, 0.4)),
  ],
  0.16,
);
const rings = mixture(
  'rings',
  [0.7, 1.4, 2.1, 2.8].flatMap((radius) =>
    along(Math.round(40 * radius), (t) => circle(radius, 2 * Math.PI * t)),
  ),
  0.1,
);
const spirals = mixture(
  'spirals',
  [1, -1].flatMap((side) =>
    along(110, (t) => {
      // By arc length, about.
      const angle = 3 * Math.PI * Math.sqrt(t);
      return circle((side * 2.8 * angle) / (3 * Math.PI), angle);
    }),
  ),
  0.11,
);
const eight = mixture(
  'eight Gaussians',
  along(8, (t) => circle(2.2, 2 * Math.PI * t)),
  0.22,
);
// A blade is a chain of Gaussians that are turned the more the farther out they lie.
const blades = [0, 1, 2, 3, 4].flatMap((blade) =>
  along(14, (t) => {
    const radius = 0.6 + 2.2 * t;
    const angle = (2 * Math.PI * blade) / 5 + 0.55 * Math.exp(0.32 * radius) - 0.6;
    return { centre: circle(radius, angle), shape: [0.12, 0.16, angle] };
  }),
);
const pinwheel = mixture(
  'pinwheel',
  blades.map(({ centre }) => centre),
  0,
  blades.map(({ shape }) => shape),
);
const checkerboard = {
  name: 'checkerboard',
  /** Eight of sixteen squares of 1.4 × 1.4. */
  logDensity(x, y) {
    const [i, j] = [Math.floor(x / 1.4) + 2, Math.floor(y / 1.4) + 2];
    const dark = i >= 0 && i < 4 && j >= 0 && j < 4 && (i + j) % 2 === 0;
    return dark ? -Math.log(8 * 1.4 * 1.4) : Number.NEGATIVE_INFINITY;
  },
  sample(count, seed) {
    const random = randomOf(seed);
    return Array.from({ length: count }, () => {
      const i = Math.floor(4 * random());
      const j = 2 * Math.floor(2 * random()) + (i % 2);
      return [1.4 * (i - 2 + random()), 1.4 * (j - 2 + random())];
    });
  },
};

export const densities = [moons, rings, checkerboard, spirals, pinwheel, eight];

// ---- energies: −log of a density up to a constant --------------------------------------------------

/** Energies as differentiable ops on columns z1, z2 [N, 1]. */
export function energies(flow) {
  const { add, affineScalar, concatColumns, logSumExp: lse, mul, relu, abs, sin, sqrt } = flow;
  const { square, sub, exp, sigmoid, neg, reshape } = flow;
  const times = (x, factor, shift = 0) => affineScalar(x, factor, shift);
  const rows = (x) => reshape(x, [-1]);
  const half = (x) => times(square(x), 0.5);
  // Rises beyond |z| = 4: the energies of the paper go on for ever to both sides.
  const wall = (z) => half(times(relu(times(abs(z), 1, -4)), 2.5));
  const walls = (z1, z2) => rows(add(wall(z1), wall(z2)));
  const wave = (z1) => sin(times(z1, Math.PI / 2));
  const either = (a, b) => neg(lse(concatColumns([neg(a), neg(b)]), -1));
  return [
    {
      name: 'U1: two humps of a ring',
      energy(z1, z2) {
        const radius = sqrt(times(add(square(z1), square(z2)), 1, 1e-12));
        const ring = rows(half(times(radius, 1 / 0.4, -2 / 0.4)));
        const hump = (side) => half(times(z1, 1 / 0.6, side / 0.6));
        return add(ring, either(hump(-2), hump(2)));
      },
    },
    {
      name: 'U2: a wave',
      energy: (z1, z2) => add(rows(half(times(sub(z2, wave(z1)), 1 / 0.4))), walls(z1, z2)),
    },
    {
      name: 'U3: a wave with a branch',
      energy(z1, z2) {
        const bump = times(exp(neg(half(times(z1, 1 / 0.6, -1 / 0.6)))), 3);
        const away = sub(z2, wave(z1));
        return add(
          either(half(times(away, 1 / 0.35)), half(times(add(away, bump), 1 / 0.35))),
          walls(z1, z2),
        );
      },
    },
    {
      name: 'U4: a wave with a step',
      energy(z1, z2) {
        const step = times(sigmoid(times(z1, 1 / 0.3, -1 / 0.3)), 3);
        const away = sub(z2, wave(z1));
        return add(
          either(half(times(away, 1 / 0.4)), half(times(add(away, step), 1 / 0.35))),
          walls(z1, z2),
        );
      },
    },
  ].map(({ name, energy }) => ({
    name,
    /** log p̃ of rows [N, 2]. */
    logDensity: (x) => neg(mul(energy(flow.columns(x, 0, 1), flow.columns(x, 1, 2)), 1)),
  }));
}
