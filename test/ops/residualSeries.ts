import { residualSeries, type SeriesLayer } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Input, OpCase, OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

/** A layer by its sizes; `kernel` in a 2 × 3 image. */
interface Layer {
  readonly units: number;
  readonly kernel?: readonly [number, number];
  readonly slopes: boolean;
}

const image = { height: 2, width: 3 };
const places = ({ kernel }: Layer) => (kernel ? kernel[0] * kernel[1] : 1);

/** w·A by plain loops: A linear, or the convolution with zeros around. */
function transposed(w: Float64Array, weight: Float64Array, layer: Layer, inputs: number) {
  const { units, kernel } = layer;
  const rows = w.length / units;
  const out = new Float64Array(rows * inputs);
  for (let p = 0; p < rows; p++) {
    const [y, x] = [Math.floor(p / image.width) % image.height, p % image.width];
    for (let t = 0; t < places(layer); t++) {
      const [kh, kw] = kernel ?? [1, 1];
      const dy = Math.floor(t / kw) - (kh - 1) / 2;
      const dx = (t % kw) - (kw - 1) / 2;
      const inside = y + dy >= 0 && y + dy < image.height && x + dx >= 0 && x + dx < image.width;
      if (kernel && !inside) continue;
      const to = p + dy * image.width + dx;
      for (let o = 0; o < units; o++)
        for (let i = 0; i < inputs; i++)
          out[to * inputs + i]! +=
            w[p * units + o]! * weight[(o * places(layer) + t) * inputs + i]!;
    }
  }
  return out;
}

function seriesCase(
  name: string,
  samples: number,
  channels: number,
  positions: number,
  layers: readonly Layer[],
  q: readonly (readonly number[])[],
): OpCase {
  const rows = samples * positions;
  const terms = q[0]!.length;
  const inputsOf = (l: number) => (l === 0 ? channels : layers[l - 1]!.units);
  const operands = layers.flatMap((layer, l): Input[] => [
    // Norms around 1, as in a flow.
    {
      shape: [layer.units, places(layer) * inputsOf(l)],
      values: (draw, n) => draw(n, 1 / Math.sqrt(places(layer) * inputsOf(l))),
    },
    ...(layer.slopes ? [{ shape: [rows, inputsOf(l)] }] : []),
  ]);
  const split = <T>(given: readonly T[]) => {
    let next = 0;
    return layers.map((layer) => ({
      weight: given[next++]!,
      slopes: layer.slopes ? given[next++]! : null,
    }));
  };
  return {
    name,
    inputs: [
      { shape: [rows, channels] },
      { shape: [q.length, terms], values: () => q.flat(), dtype: 'float64' },
      ...operands,
    ],
    run: (v, chances, ...rest) => {
      const given = split<Tensor>(rest).map((layer, l): SeriesLayer => {
        const { kernel } = layers[l]!;
        return { ...layer, geometry: kernel ? { ...image, kernel } : null };
      });
      const { weighted, series } = residualSeries(v!, chances!, given, positions);
      return [weighted, series];
    },
    expected: (v, _q, ...rest) => {
      const given = split<Float64Array>(rest);
      const weighted = new Float64Array(rows * channels);
      const series = new Float64Array(samples);
      let w = v!;
      for (let k = 1; k <= terms; k++) {
        const factor = (row: number) =>
          (k % 2 ? 1 : -1) * q[q.length === 1 ? 0 : Math.floor(row / positions)]![k - 1]!;
        w.forEach((value, i) => {
          weighted[i]! += factor(Math.floor(i / channels)) * value;
        });
        for (let l = layers.length - 1; l >= 0; l--) {
          const { weight, slopes } = given[l]!;
          w = transposed(w, weight, layers[l]!, inputsOf(l));
          if (slopes) w = w.map((value, i) => value * slopes[i]!);
        }
        w.forEach((value, i) => {
          const row = Math.floor(i / channels);
          series[Math.floor(row / positions)]! += (factor(row) / k) * value * v![i]!;
        });
      }
      return [
        { shape: [rows, channels], values: weighted },
        { shape: [samples], values: series, dtype: 'float64' },
      ];
    },
    // Products of K·L factors of norms around 1; terms of both signs.
    units: 512,
    gradient: false,
  };
}

const table: readonly Layer[] = [
  { units: 7, slopes: false },
  { units: 9, slopes: true },
  { units: 3, slopes: true },
];
const pixels: readonly Layer[] = [
  { units: 5, kernel: [3, 3], slopes: true },
  { units: 4, kernel: [1, 1], slopes: true },
  { units: 2, kernel: [3, 3], slopes: true },
];
const everyRow = (rows: number) =>
  Array.from({ length: rows }, (_, n) => [1, 1, n % 3 ? 1.5 : 0, n % 3 === 1 ? 3 : 0, 0]);

export const contract: OpContract = {
  module: 'residualSeries',
  native: ['residual_series'],
  cases: [
    seriesCase('tables, four terms for all', 5, 3, 1, table, [[1, 1, 1.5, 2.5, 0, 0]]),
    seriesCase('tables, terms by row', 70, 3, 1, table, everyRow(70)),
    seriesCase('one linear map', 3, 6, 1, [{ units: 6, slopes: false }], [[1, 1, 1]]),
    seriesCase('no term', 4, 3, 1, table, [[0, 0]]),
    seriesCase('images', 3, 2, 6, pixels, [[1, 1, 2]]),
    seriesCase('images, terms by sample', 4, 2, 6, pixels, everyRow(4)),
    seriesCase('linear maps of pixels', 3, 3, 6, table, [[1, 1]]),
  ],
  errors: [
    {
      name: 'not square',
      run: () =>
        residualSeries(f32([4, 3]), ofType([2], 'float64'), [
          { weight: f32([2, 3]), slopes: null },
        ]),
      code: 'SHAPE',
      says: /\[residualSeries\] layers: expected 3 outputs of the last, got 2/,
    },
    {
      name: 'type of q',
      run: () => residualSeries(f32([4, 3]), f32([2]), [{ weight: f32([3, 3]), slopes: null }]),
      code: 'DTYPE',
      says: /\[residualSeries\] q: expected float64, got float32/,
    },
    {
      name: 'slopes of another width',
      run: () =>
        residualSeries(f32([4, 3]), ofType([2], 'float64'), [
          { weight: f32([3, 3]), slopes: f32([4, 2]) },
        ]),
      code: 'SHAPE',
      says: /\[residualSeries\] slopes 0: expected shape \[4, 3\], got \[4, 2\]/,
    },
  ],
};
