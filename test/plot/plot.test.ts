import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { densityChart, imageSheet, lineChart, sideBySide } from '../../lib/plot';
import { linearTicks, logTicks, numberLabel } from '../../lib/plot/ticks';

/** Pixels of a PNG file as [red, green, blue] by row and column, and its size. */
function decode(file: Buffer) {
  const png = PNG.sync.read(file);
  const at = (x: number, y: number) => [
    ...png.data.subarray(4 * (y * png.width + x)).subarray(0, 4),
  ];
  return { width: png.width, height: png.height, at, colorType: file[25] };
}

const grey = (value: number) => [value, value, value, 255];

describe('imageSheet', () => {
  it('puts images side by side, with padding, scaled', () => {
    // Three images of 1 × 2 pixels, two a row, each pixel 2 × 2, padding 1, a black ground.
    const data = new Float32Array([0.2, 0.4, 0.6, 0.8, 1, 0.1]);
    const options = { columns: 2, padding: 1, scale: 2, background: 0 };
    const { width, height, at, colorType } = decode(
      imageSheet({ data, shape: [3, 1, 2] }, options),
    );
    expect([width, height, colorType]).toEqual([11, 7, 0]);
    const expected = [
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 51, 51, 102, 102, 0, 153, 153, 204, 204, 0],
      [0, 51, 51, 102, 102, 0, 153, 153, 204, 204, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 255, 255, 26, 26, 0, 0, 0, 0, 0, 0],
      [0, 255, 255, 26, 26, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    const found = expected.map((row, y) => row.map((_, x) => at(x, y)));
    expect(found).toEqual(expected.map((row) => row.map(grey)));
  });

  it('takes bytes as bytes, clamps numbers, and has a white ground', () => {
    const bytes = decode(imageSheet({ data: new Uint8Array([0, 7, 128, 255]), shape: [1, 2, 2] }));
    expect([bytes.width, bytes.height]).toEqual([6, 6]);
    expect(bytes.at(0, 0)).toEqual(grey(255));
    expect([bytes.at(2, 2), bytes.at(3, 2), bytes.at(2, 3), bytes.at(3, 3)]).toEqual(
      [0, 7, 128, 255].map(grey),
    );
    const numbers = imageSheet(
      { data: [-3, 0.5, Infinity, 1.2], shape: [1, 1, 4] },
      { padding: 0 },
    );
    const { at } = decode(numbers);
    expect([0, 1, 2, 3].map((x) => at(x, 0))).toEqual([0, 128, 255, 255].map(grey));
  });

  it('keeps colours and opacity', () => {
    const rgb = decode(
      imageSheet(
        { data: new Uint8Array([9, 8, 7, 255, 0, 1]), shape: [1, 1, 2, 3] },
        { padding: 0 },
      ),
    );
    expect([rgb.at(0, 0), rgb.at(1, 0), rgb.colorType]).toEqual([
      [9, 8, 7, 255],
      [255, 0, 1, 255],
      2,
    ]);
    const rgba = decode(
      imageSheet({ data: [0.2, 0.4, 0.6, 0.8], shape: [1, 1, 1, 4] }, { padding: 0 }),
    );
    expect([rgba.at(0, 0), rgba.colorType]).toEqual([[51, 102, 153, 204], 6]);
  });

  it('shows a NaN in a colour that no grey image has', () => {
    const data = [0.2, Number.NaN];
    const { at, colorType } = decode(imageSheet({ data, shape: [1, 1, 2] }, { padding: 0 }));
    expect([at(0, 0), at(1, 0), colorType]).toEqual([grey(51), [255, 0, 204, 255], 2]);
  });

  it('refuses shapes and options that cannot be', () => {
    const data = new Float32Array(12);
    for (const shape of [
      [12],
      [3, 4],
      [3, 2, 3],
      [1, 2, 3, 2],
      [0, 2, 3],
      [-1, -4, 3],
      [1.5, 2, 4],
    ]) {
      expect(() => imageSheet({ data, shape })).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    }
    for (const options of [{ columns: 0 }, { scale: 0.5 }, { padding: -1 }, { scale: 1e5 }]) {
      expect(() => imageSheet({ data, shape: [3, 2, 2] }, options)).toThrow(
        expect.objectContaining({ code: 'ARGUMENT' }),
      );
    }
  });
});

describe('ticks', () => {
  it.each<[number, number, number, string[]]>([
    [0, 10, 5, ['0', '2', '4', '6', '8', '10']],
    [-1.2, 1.3, 5, ['−1.0', '−0.5', '0', '0.5', '1.0']],
    [1290, 1405, 5, ['1,300', '1,325', '1,350', '1,375', '1,400']],
    [0.00161, 0.0021, 3, ['0.0018', '0.0020']],
    [0, 60_000, 3, ['0', '20,000', '40,000', '60,000']],
    [0, 3e-6, 3, ['0', '1·10⁻⁶', '2·10⁻⁶', '3·10⁻⁶']],
    [0, 2.2e8, 3, ['0', '1·10⁸', '2·10⁸']],
  ])('from %d to %d', (low, high, count, labels) => {
    expect(linearTicks(low, high, count).map(({ label }) => label)).toEqual(labels);
  });

  it.each<[number, number, string[]]>([
    [0.001, 10, ['10⁻³', '10⁻²', '10⁻¹', '10⁰', '10¹']],
    [1e-12, 1, ['10⁻¹²', '10⁻¹⁰', '10⁻⁸', '10⁻⁶', '10⁻⁴', '10⁻²', '10⁰']],
    [3, 60, ['5', '10', '20', '50']],
    [2.1, 3.2, ['2.2', '2.4', '2.6', '2.8', '3', '3.2']],
  ])('of powers from %d to %d', (low, high, labels) => {
    expect(logTicks(low, high, 6).map(({ label }) => label.replace(/\.0$/, ''))).toEqual(labels);
  });

  it('lie inside the axis and at their labels, for random axes', () => {
    for (let i = 1; i < 500; i++) {
      const low = Math.sin(i * 12.9898) * 10 ** ((i % 13) - 6);
      const high = low + Math.abs(Math.sin(i * 78.233)) * 10 ** ((i % 11) - 5) + 1e-9;
      const ticks = linearTicks(low, high, 5);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(11);
      expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length);
      const slack = (high - low) * 1e-6;
      expect(ticks[0]!.value).toBeGreaterThanOrEqual(low - slack);
      expect(ticks.at(-1)!.value).toBeLessThanOrEqual(high + slack);
    }
  });

  it('numberLabel', () => {
    expect(numberLabel(-1234567.5, 0.5)).toBe('−1,234,567.5');
    expect(numberLabel(1e-20, 0.1)).toBe('0');
  });
});

/** The points of each path of a chart, by its colour. */
function pathsOf(svg: string): Map<string, [number, number][][]> {
  const paths = new Map<string, [number, number][][]>();
  for (const [, d, color] of svg.matchAll(/<path d="([^"]*)" fill="none" stroke="([^"]*)"/g)) {
    const runs = d!.split('M').filter((run) => run !== '');
    paths.set(
      color!,
      runs.map((run) => run.split('L').map((p) => p.split(' ').map(Number) as [number, number])),
    );
  }
  return paths;
}

/** Where the inside of a chart lies: left, top, width, height. */
function plotOf(svg: string): [left: number, top: number, width: number, height: number] {
  const clip = /<clipPath id="plot"><rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/.exec(
    svg,
  );
  return clip!.slice(1).map(Number) as [number, number, number, number];
}

describe('lineChart', () => {
  it('draws each value in its place', () => {
    const series = [
      { name: 'a', y: [1, 4, 2], color: 'red' },
      { name: 'b', x: [0, 1, 2], y: [3, 3, 3], color: 'blue', dashed: true },
    ];
    const svg = lineChart({ series, yRange: [0, 5], title: 'T', xLabel: 'X', yLabel: 'Y' });
    const [red, blue] = [pathsOf(svg).get('red')!, pathsOf(svg).get('blue')!];
    const [left, top, width, height] = plotOf(svg);
    const place = (x: number, y: number) => [
      expect.closeTo(left + (width * x) / 2, 0),
      expect.closeTo(top + height * (1 - y / 5), 0),
    ];
    expect(red).toEqual([[place(0, 1), place(1, 4), place(2, 2)]]);
    expect(blue).toEqual([[place(0, 3), place(1, 3), place(2, 3)]]);
    expect(svg).toMatch(/stroke="blue" stroke-width="2" stroke-linejoin="round" stroke-dasharray/);
    for (const text of ['T', 'X', 'Y', 'a', 'b']) expect(svg).toContain(`>${text}</text>`);
  });

  it('shades the band around a line, and makes room for it', () => {
    const [low, high] = [
      [0, 2, Number.NaN, 5],
      [4, 3, 7, 10],
    ] as const;
    const series = [{ name: 'a', y: [1, 2, 4, 6], color: 'red', band: [low, high] as const }];
    const plain = lineChart({ series: [{ name: 'a', y: [0, 2, 5, 10], color: 'red' }] });
    const svg = lineChart({ series });
    const [, d] = /<path d="M([^"]*)Z" fill="red" fill-opacity/.exec(svg)!;
    const corners = d!.split('L').map((point) => point.split(' ').map(Number));
    // Low there and high back, without the third, of which one end is missing; on the axes of values from 0 to 10.
    const [run] = pathsOf(plain).get('red')!;
    const heightOf = (y: number) => run![0]![1] + ((run![3]![1] - run![0]![1]) * y) / 10;
    const places = [0, 1, 3, 3, 1, 0].map((i) => run![i]![0]);
    expect(corners).toEqual(
      [0, 2, 5, 10, 3, 4].map((y, i) => [places[i], expect.closeTo(heightOf(y), 0)]),
    );
  });

  it('has a logarithmic axis', () => {
    const y = [1, 10, 100, 0, -1, 1000];
    const svg = lineChart({ series: [{ name: 'a', y, color: 'red' }], yScale: 'log' });
    const [run] = pathsOf(svg).get('red')!;
    const heights = run!.map(([, height]) => height);
    expect(run).toHaveLength(3);
    expect(heights[1]! - heights[2]!).toBeCloseTo(heights[0]! - heights[1]!, 0);
    // After the gap of 0 and −1, a point alone.
    expect(svg.match(/<circle /g)).toHaveLength(1);
  });

  it('leaves gaps for NaN and infinities, and dots for what stands alone', () => {
    const y = [Number.NaN, 1, 2, Number.NaN, 3, Infinity, 4, 5];
    const svg = lineChart({ series: [{ name: 'a', y, color: 'red' }] });
    expect(
      pathsOf(svg)
        .get('red')!
        .map((run) => run.length),
    ).toEqual([2, 2]);
    expect(svg.match(/<circle /g)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('a robust range is not ruled by a steep start', () => {
    const y = Array.from({ length: 200 }, (_, i) => (i < 3 ? 1e6 : 100 - i / 10));
    const heights = (yRange?: 'robust') => {
      const range = yRange === undefined ? {} : { yRange };
      const svg = lineChart({ series: [{ name: 'a', y, color: 'red' }], ...range });
      const points = pathsOf(svg)
        .get('red')![0]!
        .slice(3)
        .map(([, height]) => height);
      return Math.max(...points) - Math.min(...points);
    };
    expect(heights()).toBeLessThan(1);
    expect(heights('robust')).toBeGreaterThan(100);
  });

  it('thins many points without losing their extremes', () => {
    const y = Array.from({ length: 100_000 }, (_, i) => (i === 54_321 ? 50 : Math.sin(i)));
    const svg = lineChart({ series: [{ name: 'a', y, color: 'red' }], yRange: [-2, 50] });
    expect(svg.length).toBeLessThan(100_000);
    const points = pathsOf(svg).get('red')!.flat();
    const top = Number(/<clipPath id="plot"><rect x="\d+" y="(\d+)"/.exec(svg)![1]);
    expect(Math.min(...points.map(([, height]) => height))).toBe(top);
  });

  it('draws what is empty, flat, a single point or nothing but NaN', () => {
    for (const y of [[], [3], [3, 3, 3], [0, 0], [Number.NaN, Number.NaN], [-5]]) {
      for (const yScale of ['linear', 'log'] as const) {
        for (const range of [{}, { yRange: 'robust' as const }]) {
          const svg = lineChart({ series: [{ name: 'a', y }], yScale, ...range });
          expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        }
      }
    }
    expect(lineChart({ series: [] })).toContain('</svg>');
  });

  it('is well-formed XML whatever the names are', () => {
    const name = '<b> & "quotes" \u0000\ud800 é 🙂';
    const series = [
      { name, y: [1, 2], color: '"/><script>' },
      { name: 'b', y: [2, 1] },
    ];
    const svg = lineChart({ series, title: name, xLabel: name, yLabel: name });
    expect(svg).not.toContain('<script>');
    expect(svg.match(/&lt;b&gt; &amp; &quot;quotes&quot; {2}é 🙂/g)).toHaveLength(4);
    expect(svg).not.toMatch(/&(?!lt;|gt;|amp;|quot;)/);
  });

  it('refuses what cannot be drawn', () => {
    const y = [1, 2];
    for (const options of [
      { series: [{ name: 'a', x: [1], y }] },
      { series: [{ name: 'a', y, band: [y, [1]] as const }] },
      { series: [{ name: 'a', y }], yRange: [2, 1] as const },
      { series: [{ name: 'a', y }], yRange: [0, Infinity] as const },
      { series: [{ name: 'a', y }], yRange: [0, 1] as const, yScale: 'log' as const },
    ]) {
      expect(() => lineChart(options)).toThrow(expect.objectContaining({ code: 'ARGUMENT' }));
    }
  });
});

describe('densityChart', () => {
  const ranges = { xRange: [0, 3], yRange: [-1, 1] } as const;
  const imageOf = (svg: string) => decode(Buffer.from(/base64,([^"]*)"/.exec(svg)![1]!, 'base64'));

  it('draws a density with the first row at the bottom, from dark to light', () => {
    const values = [0, 1, 2, 3, 4, Number.NaN];
    const image = imageOf(densityChart({ ...ranges, density: { values, rows: 2, cols: 3 } }));
    expect([image.width, image.height]).toEqual([3, 2]);
    expect(image.at(0, 1)).toEqual([0x44, 0x01, 0x54, 255]);
    expect(image.at(1, 0)).toEqual([0xfd, 0xe7, 0x25, 255]);
    // Half of the largest value: the middle of the map.
    expect(image.at(2, 1)).toEqual([0x21, 0x91, 0x8c, 255]);
    expect(image.at(2, 0)).toEqual([255, 0, 200, 255]);
  });

  it('draws points in their places, and none outside', () => {
    const svg = densityChart({ ...ranges, points: [0, -1, 3, 1, 4, 0, 1, 2, Number.NaN, 0] });
    const [left, top, width, height] = plotOf(svg);
    const d = /<path d="([^"]*)" stroke="#1f66ad"/.exec(svg)![1];
    expect(d).toBe(`M${left} ${top + height}h0M${left + width} ${top}h0`);
  });

  it('draws points of several kinds in colours that the legend names', () => {
    const groups = [
      { name: 'one', points: [1, 0] },
      { name: 'two', points: [2, 0, 2, 0.5] },
    ];
    const svg = densityChart({ ...ranges, groups });
    const dots = [...svg.matchAll(/<path d="((?:M[\d. ]+h0)+)" stroke="(#\w+)"/g)];
    expect(dots.map(([, d, color]) => [d!.match(/h0/g)!.length, color])).toEqual([
      [1, '#1f66ad'],
      [2, '#d9601a'],
    ]);
    expect(svg).toMatch(/stroke="#d9601a" stroke-width="2.5"[\s\S]*>two<\/text>/);
  });

  it('draws densities that are flat, zero or infinite', () => {
    for (const values of [
      [0, 0],
      [2, 2],
      [1, Infinity],
    ]) {
      const svg = densityChart({ ...ranges, density: { values, rows: 1, cols: 2 } });
      expect(imageOf(svg).width).toBe(2);
    }
  });

  it('refuses what cannot be drawn', () => {
    const density = { values: [1, 2], rows: 1, cols: 3 };
    expect(() => densityChart({ ...ranges, density })).toThrow(
      expect.objectContaining({ code: 'SHAPE' }),
    );
    expect(() => densityChart({ ...ranges, points: [1, 2, 3] })).toThrow(
      expect.objectContaining({ code: 'SHAPE' }),
    );
    expect(() => densityChart({ ...ranges, xRange: [1, 1] })).toThrow(
      expect.objectContaining({ code: 'ARGUMENT' }),
    );
  });
});

describe('sideBySide', () => {
  it('puts charts next to each other, each clipped by its own frame', () => {
    const ranges = { xRange: [0, 1], yRange: [0, 1], points: [0.5, 0.5] } as const;
    const picture = sideBySide([
      densityChart({ ...ranges, width: 300, height: 200 }),
      densityChart({ ...ranges, width: 200, height: 250 }),
    ]);
    expect(picture).toMatch(/^<svg [^>]*width="500" height="250" viewBox="0 0 500 250">/);
    expect(picture.match(/<svg x="\d+"/g)).toEqual(['<svg x="0"', '<svg x="300"']);
    for (const k of [0, 1]) {
      expect(picture.split(`id="plot${k}"`)).toHaveLength(2);
      expect(picture.split(`url(#plot${k})`)).toHaveLength(2);
    }
    expect(() => sideBySide(['text'])).toThrow(/chart 0: expected a chart, got text/);
  });
});
