// The tables of the comparison, standardised by their training rows: MNIST's first principal components, or a file.
import { randomOf } from '../gallery/densities.mjs';

/** Rows of numbers, flat. */
const part = (data, cols, from, to) => data.subarray(from * cols, to * cols);

/** Gives each column mean 0 and deviation 1 over the training rows, in place. */
function standardize({ name, cols, train, validation, test }) {
  const rows = train.length / cols;
  for (let c = 0; c < cols; c++) {
    let mean = 0;
    for (let k = c; k < train.length; k += cols) mean += train[k] / rows;
    let variance = 0;
    for (let k = c; k < train.length; k += cols) variance += (train[k] - mean) ** 2 / rows;
    const deviation = Math.sqrt(variance) || 1;
    for (const data of [train, validation, test])
      for (let k = c; k < data.length; k += cols) data[k] = (data[k] - mean) / deviation;
  }
  return { name, cols, train, validation, test };
}

/** Eigenvectors of a small symmetric matrix as columns, largest eigenvalue first, by Jacobi's rotations. */
function eigenvectors(matrix, n) {
  const a = Float64Array.from(matrix);
  const v = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0));
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p * n + q] === 0) continue;
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const [c, s] = [1 / Math.hypot(t, 1), t / Math.hypot(t, 1)];
        const turn = (m, i, j) => {
          const [x, y] = [m[i], m[j]];
          m[i] = c * x - s * y;
          m[j] = s * x + c * y;
        };
        for (let k = 0; k < n; k++) turn(a, k * n + p, k * n + q);
        for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
        for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q);
      }
    }
  }
  const order = Array.from({ length: n }, (_, k) => k).sort((i, j) => a[j * n + j] - a[i * n + i]);
  return Float64Array.from({ length: n * n }, (_, k) => v[Math.floor(k / n) * n + order[k % n]]);
}

/** Gram and Schmidt, twice, on the columns of [rows, n]; in place. */
function orthonormalize(y, rows, n) {
  const dot = (i, j) => {
    let sum = 0;
    for (let k = 0; k < rows; k++) sum += y[k * n + i] * y[k * n + j];
    return sum;
  };
  for (let j = 0; j < n; j++) {
    for (const i of [...Array(j).keys(), ...Array(j).keys()]) {
      const along = dot(i, j);
      for (let k = 0; k < rows; k++) y[k * n + j] -= along * y[k * n + i];
    }
    const length = Math.sqrt(dot(j, j));
    for (let k = 0; k < rows; k++) y[k * n + j] /= length;
  }
  return y;
}

/**
 * The first `count` directions of the largest variance of rows, [cols, count], by iterations of a subspace of some more
 * (Rayleigh and Ritz); each sign makes the entry of the largest size positive.
 */
export function principalDirections(flow, rows, cols, count) {
  const n = Math.min(cols, count + 20);
  const matrix = (values, shape) => flow.tensor(values, { shape, dtype: 'float64' });
  return flow.scope(() => {
    const total = rows.length / cols;
    const mean = new Float64Array(cols);
    for (let k = 0; k < rows.length; k++) mean[k % cols] += rows[k] / total;
    let covariance = matrix(new Float64Array(cols * cols), [cols, cols]);
    for (let start = 0; start < total; start += 2000) {
      const piece = part(rows, cols, start, Math.min(total, start + 2000));
      covariance = flow.scope(() => {
        const x = matrix(
          Float64Array.from(piece, (value, k) => value - mean[k % cols]),
          [piece.length / cols, cols],
        );
        return flow.add(covariance, flow.matmul(x, x, { transposeA: true }));
      });
    }
    const random = randomOf(1);
    const times = (y) => flow.matmul(covariance, matrix(y, [cols, n])).dataSync();
    let y = Float64Array.from({ length: cols * n }, () => random() - 0.5);
    for (let k = 0; k < 40; k++) y = orthonormalize(times(y), cols, n);
    const subspace = matrix(y, [cols, n]);
    const small = flow.matmul(subspace, matrix(times(y), [cols, n]), { transposeA: true });
    const rotation = matrix(eigenvectors(small.dataSync(), n), [n, n]);
    const all = flow.matmul(subspace, rotation).dataSync();
    const directions = new Float64Array(cols * count);
    for (let j = 0; j < count; j++) {
      let most = 0;
      for (let k = 0; k < cols; k++)
        if (Math.abs(all[k * n + j]) > Math.abs(most)) most = all[k * n + j];
      for (let k = 0; k < cols; k++) directions[k * count + j] = Math.sign(most) * all[k * n + j];
    }
    return directions;
  });
}

/** MNIST with the noise of dequantisation, in [0, 1), on its first principal components: 50,000, 10,000 and 10,000 images. */
export async function mnistComponents(flow, count = 43) {
  const features = 784;
  const pixels = async (split, seed) => {
    const { data } = await flow.loadMnist({ split });
    const random = randomOf(seed);
    return Float32Array.from(data, (value) => (value + random()) / 256);
  };
  const [all, test] = [await pixels('train', 1), await pixels('test', 2)];
  const train = part(all, features, 0, 50_000);
  const directions = principalDirections(flow, train, features, count);
  const project = (rows) =>
    flow.scope(() => {
      const x = flow.tensor(rows, { shape: [rows.length / features, features] });
      const onto = flow.tensor(Float32Array.from(directions), { shape: [features, count] });
      return Float32Array.from(flow.matmul(x, onto).dataSync());
    });
  const projected = project(all);
  return standardize({
    name: `MNIST, first ${count} principal components`,
    cols: count,
    train: projected.slice(0, 50_000 * count),
    validation: projected.slice(50_000 * count),
    test: project(test),
  });
}

/** A file of rows, shuffled by a seed: a tenth to validate, a tenth to test. */
export async function tableOf(flow, path, { columns, exclude }) {
  const {
    data,
    rows,
    cols,
    columns: names,
  } = await flow.readTable(path, {
    ...(columns && { columns }),
    ...(exclude && { exclude }),
    missing: 'drop',
  });
  const random = randomOf(1);
  const order = Array.from({ length: rows }, (_, k) => k);
  for (let k = rows - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  const shuffled = Float32Array.from(
    { length: rows * cols },
    (_, k) => data[order[Math.floor(k / cols)] * cols + (k % cols)],
  );
  const tenth = Math.max(1, Math.floor(rows / 10));
  const discrete = Array.from({ length: cols }, (_, c) => c).filter((c) => {
    const values = new Set();
    for (let k = c; k < data.length && values.size <= 20; k += cols) values.add(data[k]);
    return values.size <= 20;
  });
  return {
    ...standardize({
      name: path,
      cols,
      train: shuffled.slice(0, (rows - 2 * tenth) * cols),
      validation: shuffled.slice((rows - 2 * tenth) * cols, (rows - tenth) * cols),
      test: shuffled.slice((rows - tenth) * cols),
    }),
    discrete: discrete.map((c) => names?.[c] ?? `column ${c}`),
  };
}
