/** Several charts in one picture. */
import { expected, FlowError } from '../errors';
import { checkArgument, list, text } from '../options';

/**
 * Puts charts of this library next to each other, top edges aligned.
 *
 * @param charts the texts of SVG files, left to right
 * @returns the text of one SVG file
 * @throws FlowError `FORMAT` where a text is no chart
 */
export function sideBySide(charts: readonly string[]): string {
  checkArgument('sideBySide', 'charts', charts, list);
  for (const [k, chart] of charts.entries())
    checkArgument('sideBySide', `charts[${k}]`, chart, text);
  let [width, height] = [0, 0];
  const parts = charts.map((chart, k) => {
    const size = /^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"/.exec(chart);
    if (size === null) {
      throw new FlowError(
        'FORMAT',
        expected(
          'sideBySide',
          `chart ${k}`,
          'a chart',
          chart.slice(0, 20),
          'pass what a chart gave',
        ),
      );
    }
    const left = width;
    width += Number(size[1]);
    height = Math.max(height, Number(size[2]));
    // Names are those of the whole file.
    return chart
      .replace('<svg ', `<svg x="${left}" `)
      .replaceAll('id="plot"', `id="plot${k}"`)
      .replaceAll('url(#plot)', `url(#plot${k})`);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}
