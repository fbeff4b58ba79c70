/** Lines over common axes, as SVG: learning curves. */
import { expected, FlowError } from '../errors';
import {
  anything,
  array,
  checkOptions,
  flag,
  list,
  type Rules,
  required,
  text,
  word,
} from '../options';
import { SERIES_COLORS } from './colors';
import {
  type Axis,
  type ChartOptions,
  chartRules,
  escapeXml,
  type Frame,
  frame,
  px,
} from './frame';

/** One line of a chart. */
export interface LineSeries {
  name: string;
  /** The values; NaN and infinities, and on a logarithmic axis what is not positive, leave a gap. */
  y: ArrayLike<number>;
  /** Where they lie; 0, 1, 2, … where left out. */
  x?: ArrayLike<number>;
  /** Any CSS colour; one of the chart's own where left out. */
  color?: string;
  dashed?: boolean;
  /** Ends of a band around the line, such as the spread over seeds: as many as y. */
  band?: readonly [low: ArrayLike<number>, high: ArrayLike<number>];
}

/** What {@link lineChart} takes. */
export interface LineChartOptions extends ChartOptions {
  series: readonly LineSeries[];
  /** `linear` where left out. */
  yScale?: 'linear' | 'log';
  /**
   * The ends of the y axis: all values where left out; `robust` leaves out the steep start of a
   * learning curve (the largest and smallest 3 % of the values), which then runs out of the frame.
   */
  yRange?: readonly [low: number, high: number] | 'robust';
}

const seriesRules: Rules<LineSeries> = {
  name: required(text),
  y: required(array),
  x: array,
  color: text,
  dashed: flag,
  band: list,
};
const lineChartRules: Rules<LineChartOptions> = {
  ...chartRules,
  series: required(list),
  yScale: word('linear', 'log'),
  yRange: anything,
};

/**
 * Draws lines over common axes, as learning curves: an SVG file that any browser shows.
 *
 * @returns the text of the file
 * @throws FlowError `ARGUMENT` where x and y of a series differ in length, or a range is none
 */
export function lineChart(options: LineChartOptions): string {
  checkOptions('lineChart', options, lineChartRules);
  for (const one of options.series) checkOptions('lineChart series', one, seriesRules);
  const { series, yScale = 'linear' } = options;
  for (const { name, x, y } of series) {
    if (x !== undefined && x.length !== y.length) {
      fail(`series ${JSON.stringify(name)}`, `as many x as y (${y.length})`, `${x.length} x`);
    }
  }
  for (const { name, y, band } of series) {
    const off = band?.find((end) => end.length !== y.length);
    if (off) fail(`band of ${JSON.stringify(name)}`, `as many as y (${y.length})`, `${off.length}`);
  }
  const lines = series.map((one) => pointsOf(one, yScale));
  const bands = series.map((one) => one.band?.map((y) => pointsOf({ ...one, y }, yScale)));
  const all = [...lines, ...bands.flatMap((ends) => ends ?? [])];
  const xs = all.flatMap(([x]) => x).filter(Number.isFinite);
  const ys = all.flatMap(([, y]) => y).filter(Number.isFinite);
  const xAxis = axisOf(xs, 'linear', 0);
  const yAxis = yAxisOf(ys, yScale, options.yRange);
  const styles = series.map((one, i) => ({
    name: one.name,
    color: one.color ?? SERIES_COLORS[i % SERIES_COLORS.length]!,
    dashed: one.dashed ?? false,
  }));
  // The name of a single line is the title's or the axis' business.
  const legend = styles.length > 1 ? styles : [];
  const surroundings = frame(options, xAxis, yAxis, legend);
  const areas = bands.flatMap((ends, i) => {
    if (!ends) return [];
    const fill = `fill="${escapeXml(styles[i]!.color)}" fill-opacity="0.18" stroke="none"`;
    return [`<path d="${areaOf(ends as [Points, Points], surroundings)}" ${fill}/>`];
  });
  const content = lines.map(([x, y], i) => {
    const { color, dashed } = styles[i]!;
    const dash = dashed ? ' stroke-dasharray="6 4"' : '';
    const { path, dots } = pathOf(x, y, surroundings);
    const line =
      `<path d="${path}" fill="none" stroke="${escapeXml(color)}" ` +
      `stroke-width="2" stroke-linejoin="round"${dash}/>`;
    return [line, ...dots.map((at) => `<circle ${at} r="2.5" fill="${escapeXml(color)}"/>`)].join(
      '',
    );
  });
  const drawn = [...areas, ...content].join('\n');
  return surroundings.render(`<g clip-path="url(#plot)">\n${drawn}\n</g>`);
}

function fail(what: string, expectation: string, got: string): never {
  throw new FlowError('ARGUMENT', expected('lineChart', what, expectation, got, 'correct it'));
}

type Points = [x: number[], y: number[]];

/** Between two lines over the same places, where both have a value. */
function areaOf([[x, low], [, high]]: [Points, Points], at: Frame): string {
  const places = [...x.keys()].filter((i) => !Number.isNaN(low[i]! + high[i]!));
  const point = (i: number, y: number[]) => `${px(at.x(x[i]!))} ${px(at.y(y[i]!))}`;
  const there = places.map((i) => point(i, low));
  const back = places.reverse().map((i) => point(i, high));
  return there.length > 0 ? `M${[...there, ...back].join('L')}Z` : '';
}

/** The points of a series; y is NaN where there is a gap. */
function pointsOf({ x, y }: LineSeries, scale: 'linear' | 'log'): Points {
  const values = Array.from(y, (value, i) => {
    const shown = Number.isFinite(value) && (scale === 'linear' || value > 0);
    return shown && Number.isFinite(x?.[i] ?? i) ? value : Number.NaN;
  });
  return [x === undefined ? values.map((_, i) => i) : Array.from(x), values];
}

/** An axis around some values; `margin` is the free part at both ends. */
function axisOf(values: readonly number[], scale: 'linear' | 'log', margin: number): Axis {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high)
    return scale === 'log' ? { low: 0.1, high: 1, scale } : { low: 0, high: 1, scale };
  if (scale === 'log') {
    const factor = low === high ? 2 : (high / low) ** margin;
    return { low: low / factor, high: high * factor, scale };
  }
  // A flat line lies in the middle of a range of its own size.
  const room = low === high ? Math.abs(low) / 2 || 1 : (high - low) * margin;
  return { low: low - room, high: high + room, scale };
}

function yAxisOf(
  values: readonly number[],
  scale: 'linear' | 'log',
  range: LineChartOptions['yRange'],
): Axis {
  if (range === undefined) return axisOf(values, scale, 0.05);
  if (range === 'robust') {
    const sorted = [...values].sort((a, b) => a - b);
    const cut = Math.floor(sorted.length * 0.03);
    return axisOf(sorted.slice(cut, sorted.length - cut), scale, 0.08);
  }
  const [low, high] = range;
  if (!(low < high) || !Number.isFinite(high - low) || (scale === 'log' && low <= 0)) {
    const what = scale === 'log' ? 'two rising positive numbers' : 'two rising numbers';
    fail('yRange', what, `[${low}, ${high}]`);
  }
  return { low, high, scale };
}

/** The path of a line with its gaps, and the points that stand alone between two gaps. */
function pathOf(xs: readonly number[], ys: readonly number[], at: Frame) {
  const dense = xs.length > 4 * at.plotWidth;
  const parts: string[] = [];
  const dots: string[] = [];
  for (let start = 0; start < ys.length; start++) {
    if (Number.isNaN(ys[start])) continue;
    let end = start;
    while (end < ys.length && !Number.isNaN(ys[end])) end++;
    const run = Array.from({ length: end - start }, (_, i): [number, number] => {
      return [at.x(xs[start + i]!), at.y(ys[start + i]!)];
    });
    const points = dense ? thinned(run) : run;
    const [first, ...rest] = points;
    if (rest.length === 0) dots.push(`cx="${px(first![0])}" cy="${px(first![1])}"`);
    else parts.push(`M${points.map(([x, y]) => `${px(x)} ${px(y)}`).join('L')}`);
    start = end;
  }
  return { path: parts.join(''), dots };
}

/** Of the points that share a column of pixels: the first, the lowest, the highest, the last. */
function thinned(points: readonly [number, number][]): [number, number][] {
  const kept: [number, number][] = [];
  for (let start = 0; start < points.length; ) {
    let end = start;
    let low = start;
    let high = start;
    const column = Math.floor(points[start]![0]);
    while (end < points.length && Math.floor(points[end]![0]) === column) {
      if (points[end]![1] < points[low]![1]) low = end;
      if (points[end]![1] > points[high]![1]) high = end;
      end++;
    }
    const indices = new Set([start, Math.min(low, high), Math.max(low, high), end - 1]);
    for (const index of indices) kept.push(points[index]!);
    start = end;
  }
  return kept;
}
