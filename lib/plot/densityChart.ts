/** Densities of two dimensions, as SVG. */
import { PNG } from 'pngjs';
import { expected, FlowError } from '../errors';
import { array, checkOptions, list, object, type Rules, required } from '../options';
import { SERIES_COLORS, viridis } from './colors';
import { type ChartOptions, chartRules, frame, px } from './frame';

/** What {@link densityChart} takes. */
export interface DensityChartOptions extends ChartOptions {
  /** The ends of the x axis and of the y axis. */
  xRange: readonly [low: number, high: number];
  yRange: readonly [low: number, high: number];
  /**
   * A density (not its logarithm) on a grid of `rows` × `cols` cells that fills the ranges,
   * row-major, the first row at the bottom. The darkest colour is 0, the lightest the largest value.
   */
  density?: { values: ArrayLike<number>; rows: number; cols: number };
  /** Points `[N, 2]`, row-major, drawn over the density. */
  points?: ArrayLike<number>;
  /** Points of several kinds, each in a colour of its own, which the legend names. */
  groups?: readonly { name: string; points: ArrayLike<number> }[];
}

const POINT = '#1f66ad';
const POINT_ON_DENSITY = '#ffffff';
/** What a NaN looks like: a colour that the map has not. */
const NAN_COLOR = [255, 0, 200] as const;

const densityRules: Rules<DensityChartOptions> = {
  ...chartRules,
  xRange: required(list),
  yRange: required(list),
  density: object,
  points: array,
  groups: list,
};

/**
 * Draws a density of two dimensions as colours, or samples of it as points, or both: an SVG file.
 *
 * @returns the text of the file
 * @throws FlowError `ARGUMENT` where a range is none; `SHAPE` where values and grid do not fit
 */
export function densityChart(options: DensityChartOptions): string {
  checkOptions('densityChart', options, densityRules);
  const { density, points, groups = [], xRange, yRange } = options;
  for (const [name, [low, high]] of Object.entries({ xRange, yRange })) {
    if (low < high && Number.isFinite(high - low)) continue;
    fail('ARGUMENT', name, 'two rising numbers', `[${low}, ${high}]`);
  }
  if (density !== undefined && density.values.length !== density.rows * density.cols) {
    const expectation = `rows · cols = ${density.rows} · ${density.cols} values`;
    fail('SHAPE', 'density', expectation, `${density.values.length}`);
  }
  const clouds = groups.map((group, k) => ({
    ...group,
    color: SERIES_COLORS[k % SERIES_COLORS.length] as string,
  }));
  const plain = density === undefined ? POINT : POINT_ON_DENSITY;
  if (points !== undefined) clouds.unshift({ name: '', points, color: plain });
  for (const { points: own } of clouds) {
    if (own.length % 2 !== 0)
      fail('SHAPE', 'points', 'two numbers a point', `${own.length} numbers`);
  }
  const axis = ([low, high]: readonly [number, number]) => ({
    low,
    high,
    scale: 'linear' as const,
  });
  const square = { width: 520, height: 520, ...options };
  const legend = clouds.flatMap(({ name, color }) =>
    name ? [{ name, color, dashed: false }] : [],
  );
  const surroundings = frame(square, axis(xRange), axis(yRange), legend, density === undefined);
  const { left, top, plotWidth, plotHeight } = surroundings;
  const parts: string[] = [];
  if (density !== undefined) {
    const bytes = densityImage(density).toString('base64');
    parts.push(
      `<image x="${left}" y="${top}" width="${plotWidth}" height="${plotHeight}" ` +
        `preserveAspectRatio="none" href="data:image/png;base64,${bytes}"/>`,
    );
  }
  for (const { points: own, color } of clouds) {
    const dots: string[] = [];
    for (let i = 0; i < own.length; i += 2) {
      const [x, y] = [own[i]!, own[i + 1]!];
      if (!(x >= xRange[0] && x <= xRange[1] && y >= yRange[0] && y <= yRange[1])) continue;
      dots.push(`M${px(surroundings.x(x))} ${px(surroundings.y(y))}h0`);
    }
    // Many points are fainter, so that how dense they lie can be seen.
    const opacity = Math.min(0.8, Math.max(0.15, 40 / Math.sqrt(dots.length + 1)));
    parts.push(
      `<path d="${dots.join('')}" stroke="${color}" stroke-width="3" stroke-linecap="round" ` +
        `stroke-opacity="${opacity.toFixed(2)}"/>`,
    );
  }
  return surroundings.render(`<g clip-path="url(#plot)">\n${parts.join('\n')}\n</g>`);
}

function densityImage({ values, rows, cols }: NonNullable<DensityChartOptions['density']>): Buffer {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (values[i]! > most) most = values[i]!;
  // An infinite density has no colour of its own: it gets the lightest, like the largest value.
  const scale = Number.isFinite(most) && most > 0 ? 1 / most : 1;
  const png = new PNG({ width: cols, height: rows });
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const value = values[(rows - 1 - row) * cols + col]!;
      const color = Number.isNaN(value) ? NAN_COLOR : viridis(value * scale);
      for (const [c, byte] of [...color, 255].entries())
        png.data[(row * cols + col) * 4 + c] = byte;
    }
  }
  return PNG.sync.write(png, { colorType: 2, inputHasAlpha: true });
}

function fail(code: 'ARGUMENT' | 'SHAPE', what: string, expectation: string, got: string): never {
  throw new FlowError(code, expected('densityChart', what, expectation, got, 'correct it'));
}
