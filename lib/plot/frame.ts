/** What stands around the lines of a chart: title, legend, axes, grid. */

import { above0, type Rules, text } from '../options';
import { linearTicks, logTicks, type Tick } from './ticks';

/** What every chart takes. */
export interface ChartOptions {
  title?: string;
  xLabel?: string;
  yLabel?: string;
  /** In pixels; 720 × 440 where left out. */
  width?: number;
  height?: number;
}

/** What each of them must be. */
export const chartRules: Rules<ChartOptions> = {
  title: text,
  xLabel: text,
  yLabel: text,
  width: above0,
  height: above0,
};

/** One direction of a chart. */
export interface Axis {
  low: number;
  high: number;
  scale: 'linear' | 'log';
}

/** A name and how it is drawn. */
export interface LegendEntry {
  name: string;
  color: string;
  dashed: boolean;
}

/** The drawn surroundings of a chart, and where in it a point lies. */
export interface Frame {
  /** From a value to its pixel. */
  x(value: number): number;
  y(value: number): number;
  left: number;
  top: number;
  plotWidth: number;
  plotHeight: number;
  /** Puts content into the frame; gives the whole file. */
  render(content: string): string;
}

const FONT = `Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif`;
const INK = '#1d2733';
const FAINT = '#5b6673';
const GRID = '#e6eaee';
/** About the width of a character of the font, in its size. */
const CHARACTER = 0.56;

/** Text for the inside of an element or an attribute; characters that XML cannot hold are left out. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '')
      .replace(/[&<>"]/g, (character) => entities[character]!)
  );
}

/** A coordinate in an SVG file: a tenth of a pixel is finer than anyone sees. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Lays out title, legend, axes, grid and labels. */
export function frame(
  options: ChartOptions,
  xAxis: Axis,
  yAxis: Axis,
  legend: LegendEntry[] = [],
  grid = true,
): Frame {
  const { title, xLabel, yLabel, width = 720, height = 440 } = options;
  const yTicks = ticksOf(yAxis, height / 70);
  const labelWidth = Math.max(...yTicks.map(({ label }) => label.length)) * 12 * CHARACTER;
  const left = Math.ceil(18 + labelWidth + (yLabel ? 24 : 0));
  const rows = legendRows(legend, width - left - 24);
  const top = 18 + (title ? 28 : 0) + 20 * rows.length + (rows.length > 0 ? 6 : 0);
  const right = 24;
  const bottom = 34 + (xLabel ? 22 : 0);
  const plotWidth = Math.max(1, width - left - right);
  const plotHeight = Math.max(1, height - top - bottom);
  const xTicks = ticksOf(xAxis, plotWidth / 90);
  const x = (value: number) => left + plotWidth * place(value, xAxis);
  const y = (value: number) => top + plotHeight * (1 - place(value, yAxis));

  const parts: string[] = [];
  const text = (at: string, content: string, attributes: string) =>
    parts.push(`<text ${at} ${attributes}>${escapeXml(content)}</text>`);
  if (title) {
    text(`x="${left}" y="30"`, title, `font-size="17" font-weight="600" fill="${INK}"`);
  }
  parts.push(...drawLegend(rows, left, title ? 58 : 30));
  for (const { value, label } of yTicks) {
    if (grid) parts.push(line(left, y(value), left + plotWidth, y(value), GRID));
    const at = `x="${left - 8}" y="${px(y(value) + 4)}"`;
    text(at, label, `font-size="12" fill="${FAINT}" text-anchor="end"`);
  }
  const base = top + plotHeight;
  for (const { value, label } of xTicks) {
    parts.push(line(x(value), base, x(value), base + 5, FAINT));
    const at = `x="${px(x(value))}" y="${px(base + 20)}"`;
    text(at, label, `font-size="12" fill="${FAINT}" text-anchor="middle"`);
  }
  if (xLabel) {
    const at = `x="${px(left + plotWidth / 2)}" y="${px(base + 42)}"`;
    text(at, xLabel, `font-size="13" fill="${INK}" text-anchor="middle"`);
  }
  if (yLabel) {
    const at = `transform="translate(18 ${px(top + plotHeight / 2)}) rotate(-90)"`;
    text(at, yLabel, `font-size="13" fill="${INK}" text-anchor="middle"`);
  }
  const render = (content: string) =>
    [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
        `viewBox="0 0 ${width} ${height}" font-family="${FONT}">`,
      `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
      `<clipPath id="plot"><rect x="${left}" y="${top}" width="${plotWidth}" ` +
        `height="${plotHeight}"/></clipPath>`,
      ...parts,
      content,
      line(left, base, left + plotWidth, base, FAINT),
      '</svg>\n',
    ].join('\n');
  return { x, y, left, top, plotWidth, plotHeight, render };
}

function ticksOf({ low, high, scale }: Axis, count: number): Tick[] {
  return scale === 'log' ? logTicks(low, high, count) : linearTicks(low, high, count);
}

/** The place of a value between the ends of an axis: 0 to 1. */
function place(value: number, { low, high, scale }: Axis): number {
  if (scale === 'linear') return (value - low) / (high - low);
  return Math.log(value / low) / Math.log(high / low);
}

function line(x1: number, y1: number, x2: number, y2: number, color: string): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${color}"/>`;
}

function entryWidth({ name }: LegendEntry): number {
  return 26 + name.length * 13 * CHARACTER + 20;
}

/** The entries in as many rows as the width needs. */
function legendRows(legend: LegendEntry[], width: number): LegendEntry[][] {
  const rows: LegendEntry[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const entry of legend) {
    if (used + entryWidth(entry) > width) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1)!.push(entry);
    used += entryWidth(entry);
  }
  return rows;
}

function drawLegend(rows: LegendEntry[][], left: number, top: number): string[] {
  return rows.flatMap((row, i) => {
    let x = left;
    const y = top + 20 * i;
    return row.map((entry) => {
      const dash = entry.dashed ? ' stroke-dasharray="5 4"' : '';
      const mark = `<path d="M${px(x)} ${y - 4}h18" stroke="${escapeXml(entry.color)}" stroke-width="2.5"${dash}/>`;
      const label = `<text x="${px(x + 25)}" y="${y}" font-size="13" fill="${INK}">${escapeXml(entry.name)}</text>`;
      x += entryWidth(entry);
      return mark + label;
    });
  });
}
