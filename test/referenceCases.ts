/** Instructions with random operands, every op at least once: what test/reference-kernels.test.ts compares. */
import type { FloatDType } from '../lib/dtype';
import { type Shape, sizeOf } from '../lib/shape';
import { execute, type OutputSpec } from '../lib/tensor/execute';
import { type Tensor, tensorOfArray } from '../lib/tensor/tensor';
import { fixture } from './reference/close';

const draw = fixture(20261122);

const f64 = (shape: Shape, scale = 1) => tensorOfArray(draw(sizeOf(shape), scale), shape);
const int32 = (values: ArrayLike<number>) =>
  tensorOfArray(Int32Array.from(values), [values.length]);
/** Whole numbers from 0 to limit − 1. */
const indices = (count: number, limit: number) =>
  int32(draw(count).map((value) => Math.min(limit - 1, Math.floor(((value + 2) / 4) * limit))));
/** Sorted extents from 0 to `inputs`. */
const staircase = (units: number, inputs: number) =>
  int32(Array.from({ length: units }, (_, o) => Math.floor((o * (inputs + 1)) / units)));

/** The instructions for matrices of `n` rows and `d` columns. */
export function instructions(dtype: FloatDType, n: number, d: number): [string, () => void][] {
  const realOf =
    (source: typeof draw) =>
    (shape: Shape, scale = 1) => {
      const values = source(sizeOf(shape), scale);
      return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
    };
  const real = realOf(draw);
  const positive = (shape: Shape) => {
    const values = draw(sizeOf(shape)).map((value) => Math.abs(value) + 0.05);
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
  };
  const out = (...shape: number[]): OutputSpec => ({ shape, dtype });
  const out64 = (...shape: number[]): OutputSpec => ({ shape, dtype: 'float64' });
  const list: [string, () => void][] = [];
  const add = (
    op: string,
    inputs: () => (Tensor | null)[],
    outputs: () => (OutputSpec | Tensor | null)[],
    ...attributes: number[]
  ) =>
    list.push([
      `${op} (${attributes.join(', ')})`,
      () => void execute(op, inputs(), outputs(), attributes),
    ]);

  /** Weights of a 3 × 3 kernel of two channels, large on the diagonal of the own pixel. */
  const tensorOfTaps = () => {
    const weight = real([2, 18], 0.2);
    const values = weight.dataSync();
    for (const o of [0, 1]) values[o * 18 + 4 * 2 + o] = 1.5;
    weight.write(values);
    return weight;
  };
  const u = d + 3; // units of a layer
  const x = () => real([n, d]);
  const same = () => [out(n, d)];
  add(
    'copy',
    () => [x()],
    () => [out64(n, d)],
  );
  add(
    'copy',
    () => [real([n, d], 400)],
    () => [{ shape: [n, d], dtype: 'uint8' }],
  );
  add('fill', () => [], same, 1.25);
  add('accumulate', () => [x(), x()], same);
  add('affine_scalar', () => [x()], same, 1.7, -0.3);
  for (let kind = 0; kind < 25; kind++) {
    const isOfPositive = [3, 4, 7, 8].includes(kind); // √, 1/x, log, log1p
    const argument = () => (isOfPositive ? positive([n, d]) : x());
    add('unary', () => [argument()], same, kind, -0.4, 0.6);
    add('unary_grad', () => [argument(), x()], same, kind, -0.4, 0.6);
  }
  for (let kind = 0; kind < 7; kind++) add('binary', () => [x(), x()], same, kind);
  add('binary', () => [real([1, d]), real([n, 1])], same, 2);
  add('gated_activation', () => [real([n, 2 * d])], same);
  add(
    'gated_activation_grad',
    () => [real([n, 2 * d]), x()],
    () => [out(n, 2 * d)],
  );
  for (let kind = 0; kind < 4; kind++) {
    const beta = () => (kind === 0 ? positive([1]) : null);
    add(
      'activation_slope',
      () => [x(), beta()],
      () => [out(n, d), out(n, d)],
      kind,
    );
    add(
      'activation_slope_grad',
      () => [x(), beta(), x(), x()],
      () => [out(n, d), kind === 0 ? out(1) : null],
      kind,
    );
  }
  add(
    'residual_series',
    () => [x(), f64([1, 3]), real([5, d], 0.5), null, real([d, 5], 0.5), real([n, 5])],
    () => [out(n, d), out64(n)],
    ...[1, 0, 0],
  );
  add(
    'wavefront_solve',
    () => [real([6 * n, 2]), tensorOfTaps()],
    () => [out(6 * n, 2)],
    ...[2, 1, 1, 0, 2, 3, 9, 0, 0, 0, -1, -1, 1, -1, 0, 3, 0, -1, 4, 0, 0],
  );
  for (const transpose of [0, 1])
    add(
      'block_matmul',
      () => [real([n, 3 * d]), transpose ? real([3 * 5, d]) : real([3 * d, 5])],
      () => [out(n, 15)],
      ...[3, transpose],
    );
  add(
    'batch_inverse',
    () => [real([3 * d, d])],
    () => [null, out64(3)],
  );
  add('expand', () => [f64([n, 1])], same, -0.5);
  add('where', () => [real([1, d]), x(), real([n, 1])], same);
  for (let kind = 0; kind < 4; kind++) {
    const factor = kind === 1 ? -1 : 1;
    [() => out(d), () => out64(n), () => out64(1)].forEach((result, axis) => {
      add(
        'reduce',
        () => [x()],
        () => [result()],
        ...[kind, axis, factor],
      );
    });
  }
  for (const kind of [2, 3]) {
    for (const [axis, size] of [d, n, 1].entries()) {
      // The results of `reduce`, so that exp(x − y) is what a gradient sees.
      const operands = () => {
        const own = x();
        const [y] = execute('reduce', [own], [out64(size)], [kind, axis, 1]);
        return [own, y as Tensor, f64([size])];
      };
      add('reduce_grad', operands, same, kind, axis);
    }
  }
  add(
    'gather_rows',
    () => [x(), indices(n + 5, n)],
    () => [out(n + 5, d)],
    0.3,
    1.5,
  );
  add(
    'scatter_rows',
    () => [x(), indices(n, 7)],
    () => [out(7, d)],
  );
  add(
    'gather_columns',
    () => [x(), indices(d + 2, d)],
    () => [out(n, d + 2)],
  );
  add(
    'scatter_columns',
    () => [x(), indices(d, 5)],
    () => [out(n, 5)],
  );
  add(
    'embed_columns',
    () => [x()],
    () => [out(n, d + 4)],
    3,
  );
  add(
    'concat_columns',
    () => [x(), real([n, 2]), x()],
    () => [out(n, 2 * d + 2)],
  );
  for (const [ta, tb] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)
    add(
      'matmul',
      () => [real(ta ? [d, n] : [n, d]), real(tb ? [u, d] : [d, u])],
      () => [out(n, u)],
      ta,
      tb,
    );
  const weight = () => real([u, d], 1 / Math.sqrt(d));
  for (let activation = 0; activation < 8; activation++) {
    add(
      'linear',
      () => [x(), weight(), real([u]), real([n, u])],
      () => [out(n, u)],
      activation,
      0.2,
    );
    add(
      'masked_linear',
      () => [x(), weight(), real([u]), null, indices(u, d + 1)],
      () => [out(n, u)],
      activation,
      0.2,
    );
    if (activation === 7) continue; // the derivative of gelu is no function of its output
    for (const order of [1, 2])
      add(
        'activation_grad',
        () => [x(), x()],
        () => [out(n, d), out(d)],
        activation,
        0.2,
        order,
        3,
      );
  }
  for (const masked of [false, true]) {
    const mask = (units: number, inputs: number) => (masked ? indices(units, inputs + 1) : null);
    add(
      'mlp',
      () => [
        ...[x(), real([n, u]), weight(), real([u]), mask(u, d)],
        ...[real([4, u], 1 / Math.sqrt(u)), null, mask(4, u)],
      ],
      () => [out(n, u), out(n, 4)],
      ...[2, 0],
    );
    add(
      'mlp_grad',
      () => [
        ...[real([n, 4]), x(), masked ? x() : null, weight(), mask(u, d)],
        ...[real([4, u], 1 / Math.sqrt(u)), mask(4, u), real([n, u], 0.4)],
      ],
      () => [out(n, d), out(n, u), out(u, d), out(u), out(4, u), null],
      ...[2, 0],
    );
  }
  add('masked_linear_grad_input', () => [real([n, u]), weight(), staircase(u, d)], same);
  add(
    'masked_linear_grad_weight',
    () => [real([n, u]), x(), staircase(u, d)],
    () => [out(u, d)],
  );
  for (let map = 0; map < 4; map++) {
    const params = () => real([n, 2 * d]);
    for (const suffix of ['', '_inverse']) {
      add(
        `autoregressive_affine${suffix}`,
        () => [x(), params()],
        () => [out(n, d), out64(n)],
        map,
        1.3,
      );
      const operands = () => [params(), x(), x(), f64([n])];
      add(
        `autoregressive_affine${suffix}_grad`,
        operands,
        () => [out(n, d), out(n, 2 * d)],
        map,
        1.3,
      );
    }
  }
  for (let map = 0; map < 6; map++) {
    const each = map === 0 ? 1 : 2;
    const gain = () => (map === 2 ? real([d]) : null);
    for (const suffix of ['', '_inverse']) {
      // Columns 2 … d + 1 of d + 3; and a checkerboard on one image of n lines.
      add(
        `affine_coupling${suffix}`,
        () => [real([n, d + 3]), real([n, each * d]), gain()],
        () => [out(n, d + 3), out64(n)],
        ...[map, 1.3, 2, 1, 0, 0],
      );
      add(
        `affine_coupling${suffix}`,
        () => [real([3 * n, d]), real([3 * n, each * d]), gain()],
        () => [out(3 * n, d), out64(1)],
        ...[map, 1.3, 0, 3 * n, 3, 1],
      );
      add(
        `affine_coupling${suffix}_grad`,
        () => [real([n, d + 3]), real([n, each * d]), gain(), real([n, d + 3]), f64([n])],
        () => [out(n, d + 3), out(n, each * d), map === 2 ? out(d) : null],
        ...[map, 1.3, 2, 1, 0, 0],
      );
      add(
        `affine_coupling${suffix}_grad`,
        () => [real([3 * n, d]), real([3 * n, each * d]), gain(), real([3 * n, d]), null],
        () => [out(3 * n, d), null, map === 2 ? out(d) : null],
        ...[map, 1.3, 0, 3 * n, 3, 1],
      );
    }
  }
  add(
    'checkerboard',
    () => [real([6 * n, d])],
    () => [out(6 * n, d)],
    ...[6, 3, 1],
  );
  const made = (residual: boolean) => () => {
    const layer = (units: number, inputs: number, extents: Tensor) =>
      [real([units, inputs], 0.5 / Math.sqrt(inputs)), real([units], 0.3), extents] as const;
    // Sorted degrees 0 … d − 1 for the hidden units; unit of degree g sees the units of degrees up to g.
    const degree = (unit: number) => Math.floor((unit * d) / u);
    const upTo = (g: number) =>
      Array.from({ length: u }, (_, k) => +(degree(k) <= g)).reduce((a, b) => a + b, 0);
    const hidden = () => layer(u, u, int32(Array.from({ length: u }, (_, k) => upTo(degree(k)))));
    return [
      real([n, d]),
      real([n, u], 0.3),
      real([2 * d, d], 0.3 / Math.sqrt(d)),
      ...layer(u, d, int32(Array.from({ length: u }, (_, k) => degree(k)))),
      ...hidden(),
      ...(residual ? hidden() : []),
      ...layer(2 * d, u, int32(Array.from({ length: 2 * d }, (_, r) => upTo(r >> 1)))),
    ];
  };
  add('made_inverse', made(false), () => [out(n, d), out64(n)], 1, 0, 1, 1.3, 0);
  add('made_inverse', made(true), () => [out(n, d), out64(n)], 2, 0, 0, 1, 1);
  // The values of the hidden layers need not be those of x: the loops are compared, not the network.
  const madeGradient = (residual: boolean) => () => {
    const [, , direct, ...layers] = made(residual)();
    const hidden = residual ? 3 : 2;
    const operands = layers.map((tensor, k) => (k % 3 === 1 ? null : (tensor as Tensor)));
    const values = Array.from({ length: hidden }, () => real([n, u], 0.4));
    return [x(), real([n, 2 * d]), x(), f64([n]), direct as Tensor, ...operands, ...values];
  };
  const madeOutputs = (hidden: number) => () => [
    out(n, d),
    out(n, 2 * d),
    ...Array.from({ length: hidden }, () => out(n, u)),
  ];
  add('made_inverse_grad', madeGradient(false), madeOutputs(2), 1, 0, 1, 1.3, 0);
  add('made_inverse_grad', madeGradient(true), madeOutputs(3), 2, 0, 0, 1, 1);
  const moments = () => [
    f64([d]),
    tensorOfArray(
      draw(d).map((v) => v * v + 0.1),
      [d],
    ),
  ];
  add(
    'column_moments',
    () => [x()],
    () => [out64(d), out64(d)],
  );
  add(
    'batch_norm',
    () => [x(), ...moments(), real([d]), real([d])],
    () => [out(n, d), out64(1)],
    1e-5,
  );
  for (const training of [0, 1]) {
    const operands = () => [x(), ...moments(), real([d]), x(), f64([1])];
    add('batch_norm_grad', operands, () => [out(n, d), out(d), out(d)], 1e-5, training);
  }
  for (const inverse of [0, 1]) {
    const operands = () => [x(), real([d]), real([d])];
    add('channel_affine', operands, () => [out(n, d), out64(n)], inverse, 1);
    add('channel_affine', operands, () => [out(n, d), out64(1)], inverse, n);
    const outputs = () => [out(n, d), out(d), out(d)];
    add('channel_affine_grad', () => [...operands(), x(), f64([n])], outputs, inverse, 1);
    add('channel_affine_grad', () => [...operands(), null, f64([1])], outputs, inverse, n);
    add('channel_affine_grad', () => [...operands(), x(), null], outputs, inverse, 1);
  }
  for (const back of [0, 1]) {
    const image = () => real([n, 8 * d]);
    add(
      'squeeze',
      () => [image()],
      () => [out(n, 8 * d)],
      2,
      4,
      d,
      back,
    );
  }
  for (const kind of [0, 1, 2]) {
    const more = () => (kind === 2 ? [positive([n, d])] : []);
    add(
      'log_prob',
      () => [x(), ...more()],
      () => [out64(n)],
      kind,
    );
    const outputs = () => [out(n, d), kind === 2 ? out(n, d) : null];
    add('log_prob_grad', () => [x(), f64([n]), ...more()], outputs, kind);
  }
  const state = () => tensorOfArray(Int32Array.of(-5, 17, -1, 3), [4]); // the count of calls carries over
  add(
    'random_uniform',
    () => [],
    () => [out(n, d), state()],
  );
  add(
    'random_normal',
    () => [],
    () => [out(n, d), state()],
  );
  add(
    'random_bernoulli',
    () => [positive([n, d])],
    () => [out(n, d), state()],
  );
  const norm = () => tensorOfArray(Float64Array.of(3), [1]);
  const tensors = () => [x(), real([d])];
  const squares = () => [positive([n, d]), positive([d])];
  for (const flag of [0, 1]) {
    const adamState = () => tensorOfArray(Float64Array.of(4, 1e-2, 0.9, 0.999, 1e-8, 0.1, 2), [7]);
    const parts = () => [adamState(), ...tensors(), ...tensors(), ...squares()];
    add('adam', () => [norm(), null, ...tensors(), indices(n, d + 1), null], parts, flag);
    const sgdState = () => tensorOfArray(Float64Array.of(1e-2, 0.9, 0.1, 2), [4]);
    add(
      'sgd',
      () => [norm(), null, ...tensors()],
      () => [sgdState(), ...tensors(), ...tensors()],
      flag,
    );
  }
  add('ema', () => [tensorOfArray(Float64Array.of(0.97), [1]), null, ...tensors()], tensors);
  add('clip', () => [norm(), tensorOfArray(Float64Array.of(0.7), [1])], tensors);
  add(
    'grad_norm',
    () => [x(), null, real([d])],
    () => [out64(1)],
  );
  // Off the diagonal 1/d, on it 1 … 3: well conditioned.
  const triangle = (size: number) => {
    const values = draw(size * size).map((value, i) =>
      i % (size + 1) === 0 ? value + (value < 0 ? -1 : 1) : value / size,
    );
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [size, size]);
  };
  for (let form = 0; form < 16; form++) {
    const flags = [form & 1, (form >> 1) & 1, (form >> 2) & 1, form >> 3];
    const sides = () => (flags[0] ? real([d, n]) : x());
    add(
      'triangular_solve',
      () => [triangle(d), sides()],
      () => [flags[0] ? out(d, n) : out(n, d)],
      ...flags,
    );
    add(
      'triangular_solve_grad',
      () => [sides(), sides()],
      () => [out(d, d)],
      ...flags,
    );
  }
  // Kind, tails, bins and the numbers that a feature takes.
  const splines = [
    [0, 0, 4, 11],
    [0, 1, 2, 7],
    [0, 2, 3, 9],
    [1, 0, 3, 5],
    [1, 2, 2, 4],
    [2, 0, 4, 4],
    [3, 0, 3, 6],
    [3, 1, 2, 6],
  ] as const;
  for (const [kind, tails, bins, count] of splines) {
    for (const inverse of [0, 1]) {
      const attributes = [kind, tails, bins, -1.5, 1.5, 1e-3, 1e-3, 1e-3, inverse];
      // A cubic of wilder numbers is nearly flat somewhere, where no two roots agree.
      const scale = kind === 3 ? 0.4 : 1;
      const sides = () => [real([n, d]), real([bins % 2 ? n : 1, d * count], scale)];
      add('spline', sides, () => [out(n, d), out64(n)], ...attributes);
      add(
        'spline_grad',
        () => [...sides(), real([n, d]), f64([n])],
        () => [out(n, d), out(n, d * count)],
        ...attributes,
      );
    }
  }
  // Triangles of few rows: an inverse passes the error of a root on to all rows before it.
  for (const m of [1, 5]) {
    const count = m * m + 3 * m;
    // Diagonals r and s, one after another, within ±0.9.
    const triangles = (rows: number) => {
      const values = draw(rows * count, 0.3).map((value, i) =>
        i % count < m * m || i % count >= m * m + 2 * m ? value : 0.9 * Math.tanh(2 * value),
      );
      return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [rows, count]);
    };
    for (const rows of [1, n]) {
      const sides = () => [real([n, m]), triangles(rows)];
      add('sylvester', sides, () => [out(n, m), out64(n)], 0);
      add('sylvester', sides, () => [out(n, m), out64(n), null, null, null], 1);
      for (const inverse of [0, 1])
        add(
          'sylvester_grad',
          () => [...sides(), real([n, m]), f64([n])],
          () => [out(n, m), out(n, count)],
          inverse,
        );
    }
  }
  const ones = () =>
    real([d])
      .dataSync()
      .map((value) => (value < 0 ? -1 : 1));
  const parts = (rows: boolean) => [
    triangle(d),
    real([d], 0.4),
    tensorOfArray(ones(), [d]),
    rows ? int32(Array.from({ length: d }, (_, i) => d - 1 - i)) : null,
  ];
  for (let form = 0; form < 3; form++) {
    for (const op of ['lu_compose', 'lu_inverse']) {
      add(
        op,
        () => parts(form === 0),
        () => [out(d, d), null],
        form,
      );
    }
    add(
      'lu_compose_grad',
      () => [...parts(form !== 1), real([d, d]), null],
      () => [out(d, d), out(d)],
      form,
    );
    for (const method of [0, 1, 2]) {
      add('lu_solve', () => [x(), ...parts(form !== 2), real([d])], same, form, 0, method);
      add(
        'lu_solve',
        () => [null, ...parts(true), null],
        () => [out(d, d)],
        form,
        1,
        method,
      );
    }
  }
  const two = () => [...parts(true), ...parts(false)];
  const twice = <T>(...of: T[]): T[] => [...of, ...of];
  for (const op of ['lu_compose', 'lu_inverse'])
    add(op, two, () => twice(out(d, d), out64(1)), 0, 0);
  add(
    'lu_compose_grad',
    () => [...parts(true), real([d, d]), f64([1]), ...parts(false), real([d, d]), null],
    () => twice(out(d, d), out(d)),
    0,
    0,
  );
  // Two layers: one with a scale and a bias, one with a gain.
  const scaled = () => [x(), real([n]), real([n], 0.3), null];
  const normed = () => [real([u, d]), null, null, real([u])];
  add(
    'scale_weights',
    () => [...scaled(), ...normed()],
    () => [out(n, d), out(n), out(u, d), null],
    3,
  );
  add(
    'scale_weights_grad',
    () => [...scaled(), x(), real([n]), ...normed(), real([u, d]), null],
    () => [...[out(n, d), out(n), out(n), null], ...[out(u, d), null, null, out(u)]],
    3,
  );
  add(
    'scale_weights_grad',
    () => [x(), real([n]), real([n], 0.3), real([n]), x(), real([n])],
    () => [out(n, d), out(n), out(n), out(n)],
    0.5,
  );
  const scalars = [out64(1), out64(1)];
  add(
    'lu_factor',
    () => [triangle(d)],
    () => [out64(d, d), { shape: [d], dtype: 'int32' }, ...scalars],
  );
  const broken = () => tensorOfArray(Float64Array.of(1, Number.NaN, 2), [3]);
  add(
    'check_finite',
    () => [x(), broken(), real([d])],
    () => [{ shape: [1], dtype: 'int32' }],
  );

  // Images of 2 × 3 pixels; the kernel 3 × 3 with two dead taps, dilated along its rows.
  const taps = [0, 1, 2, 4, 5, 7, 8].flatMap((place) => [
    place,
    Math.floor(place / 3) - 1,
    2 * ((place % 3) - 1),
  ]);
  const pixels = 6 * n;
  for (const [inputs, outputs] of [
    [d, u],
    [u, Math.ceil(d / 3)],
  ] as const) {
    const kernel = () => real([outputs, 9 * inputs], 1 / Math.sqrt(9 * inputs));
    for (let activation = 0; activation < 8; activation++) {
      const attributes = [2, 3, 9, activation, 0.2, ...taps];
      add(
        'conv2d',
        () => [
          real([pixels, inputs]),
          kernel(),
          real([outputs]),
          activation % 2 === 0 ? real([pixels, outputs]) : null,
        ],
        () => [out(pixels, outputs)],
        ...attributes,
      );
      if (activation === 7) continue;
      add(
        'conv2d_grad_input',
        () => [
          real([pixels, outputs]),
          kernel(),
          activation > 0 ? real([pixels, inputs], 0.4) : null,
        ],
        () => [out(pixels, inputs)],
        ...attributes,
      );
    }
    add(
      'conv2d_grad_weight',
      () => [real([pixels, outputs]), real([pixels, inputs])],
      () => [out(outputs, 9 * inputs)],
      ...[2, 3, 9, 0, 0, ...taps],
    );
  }

  // Two layers on these images: the kernel above, and one of a single tap.
  const hidden = d + 1;
  const some = realOf(fixture(33));
  for (const [first, second] of [
    [1, 0],
    [2, 6],
    [4, 3],
  ] as const) {
    const attributes = [2, 7, 2, 3, 9, first, 0.2, ...taps, 1, 2, 3, 1, second, 0, 0, 0, 0];
    const weights = () => [some([hidden, 9 * d], 0.3), some([u, hidden], 0.3)] as const;
    add(
      'conv_stack',
      () => {
        const [one, two] = weights();
        return [some([pixels, d]), some([pixels, hidden]), one, some([hidden]), two, null];
      },
      () => [out(pixels, hidden), out(pixels, u)],
      ...attributes,
    );
    for (const all of [true, false]) {
      const wanted = (spec: OutputSpec) => (all ? spec : null);
      add(
        'conv_stack_grad',
        () => {
          const [one, two] = weights();
          const between = some([pixels, hidden], 0.4);
          return [some([pixels, u]), some([pixels, d]), one, between, two, some([pixels, u], 0.4)];
        },
        () => [
          ...[wanted(out(pixels, d)), wanted(out(pixels, hidden))],
          ...[wanted(out(hidden, 9 * d)), wanted(out(hidden))],
          ...[out(u, hidden), wanted(out(u))],
        ],
        ...attributes,
      );
    }
  }
  // d levels of two channels; a mixture of u for them.
  const levels = (shape: Shape, count: number) => {
    const values = indices(sizeOf(shape), count).dataSync();
    return tensorOfArray(
      dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values),
      shape,
    );
  };
  const uniform = (shape: Shape) => {
    const values = draw(sizeOf(shape)).map((value) => (value + 2) / 4.001);
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
  };
  add(
    'categorical_log_prob',
    () => [real([n, 2 * d], 2), levels([n, 2], d)],
    () => [out64(1), out(n, 4)],
    ...[d, n],
  );
  add(
    'categorical_log_prob_grad',
    () => [real([n, 2 * d]), levels([n, 2], d), real([n, 4], 0.1), f64([n])],
    () => [out(n, 2 * d)],
    ...[d, 1],
  );
  const mixture = () => real([n, 6 * u], 0.8);
  add(
    'logistic_mixture_log_prob',
    () => [mixture(), levels([n, 2], d + 1)],
    () => [out64(n)],
    ...[d + 1, -7, 1],
  );
  add(
    'logistic_mixture_log_prob_grad',
    () => [mixture(), levels([n, 2], d + 1), f64([1])],
    () => [out(n, 6 * u)],
    ...[d + 1, -1, n],
  );
  add(
    'discrete_sample',
    () => [real([n, 2 * d], 2), uniform([n, 2])],
    () => [out(n, 2)],
    ...[0, d, 0],
  );
  add(
    'discrete_sample',
    () => [mixture(), uniform([n, 3])],
    () => [out(n, 2)],
    ...[1, d + 1, -7],
  );

  // Three layers of R = d, G = u, S = 4 on sequences of n samples; dilations within and beyond them.
  const [length, skips] = [n, 4];
  for (const condition of [0, 3]) {
    const dilations = [1, 2, n + 1];
    const outputs = [skips + d, skips + d, skips];
    const weight = () => some([2 * u, 2 * d + condition], 1 / Math.sqrt(2 * d));
    const outputWeight = (l: number) => some([outputs[l]!, u], 1 / Math.sqrt(u));
    const rows = 2 * length;
    const given = () => (condition > 0 ? some([rows, condition]) : null);
    for (const keeps of [true, false]) {
      add(
        'wave_stack',
        () => [
          some([rows, d]),
          given(),
          ...outputs.flatMap((o, l) => [weight(), some([2 * u]), outputWeight(l), some([o])]),
        ],
        () => [
          out(rows, skips),
          ...outputs.map(() => (keeps ? out(rows, 2 * u) : null)),
          ...outputs.slice(1).map(() => (keeps ? out(rows, d) : null)),
        ],
        ...[length, ...dilations],
      );
      add(
        'wave_stack_grad',
        () => [
          some([rows, skips]),
          some([rows, d]),
          given(),
          ...outputs.flatMap((_, l) => [
            weight(),
            outputWeight(l),
            some([rows, 2 * u], 0.4),
            l === 0 ? null : some([rows, d]),
          ]),
        ],
        () => [
          keeps ? out(rows, d) : null,
          keeps && condition > 0 ? out(rows, condition) : null,
          ...outputs.flatMap((o, l) =>
            keeps || l === 1
              ? [out(2 * u, 2 * d + condition), out(2 * u), out(o, u), out(o)]
              : [null, null, null, null],
          ),
        ],
        ...[length, ...dilations],
      );
    }
  }

  for (const [kind, out1] of [u, 6, 2, 2].entries()) {
    const [length, skips, dilations] = [6, 4, [1, 3]];
    const noise = () => (kind < 2 ? uniform([n, length * (kind + 1)]) : some([n, length]));
    add(
      'wave_generate',
      () => [
        ...[noise(), kind === 2 ? some([n * length, 2]) : null],
        ...(kind === 0 ? [some([u + 1, d]), null] : [some([d, 1]), some([d])]),
        ...[some([5, skips]), some([5]), some([out1, 5], 0.3), some([out1])],
        kind === 0 ? levels([n, 2], u) : null,
        ...dilations.flatMap((_, l) => [
          some([2 * u, 2 * d + (kind === 2 ? 2 : 0)], 1 / Math.sqrt(2 * d)),
          some([2 * u]),
          some([l === 0 ? skips + d : skips, u], 1 / Math.sqrt(u)),
          some([l === 0 ? skips + d : skips]),
        ]),
      ],
      () => [out(n, length)],
      ...[kind, u, -1, length, ...dilations],
    );
  }
  add(
    'discrete_sample',
    () => [real([n, d]), uniform([n, d])],
    () => [out(n, d)],
    ...[2, 2, 0],
  );
  // LSTMs of 3 states over one image of 2n × d pixels; backwards over n of 2 × d.
  for (const direction of [0, 1, 2]) {
    const taps = direction === 0 ? 3 : 2;
    const map = (channels: number) => [2 * n * d, channels];
    add(
      'spatial_lstm',
      () => [real(map(12)), real([12, 3 * taps], 0.5)],
      () => [out(2 * n * d, 3), out(2 * n * d, 12), out(2 * n * d, 3)],
      ...[2 * n, d, direction],
    );
    add(
      'spatial_lstm_grad',
      () => [real(map(3)), real([12, 3 * taps], 0.5), positive(map(12)), real(map(3))],
      () => [out(2 * n * d, 12)],
      ...[2, d, direction],
    );
  }
  return list;
}
