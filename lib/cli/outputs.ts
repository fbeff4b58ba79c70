/** The files of a run folder besides the model. */
import { PNG } from 'pngjs';
import type { Flow } from '../flows';
import { writeFileAtomic } from '../io/atomic';
import type { ImageShape } from './dataset';
import type { Report } from './report';

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
export async function writeImages(
  path: string,
  table: { data: ArrayLike<number>; rows: number; cols: number },
  image: ImageShape,
): Promise<void> {
  const [h, w] = image;
  const per = Math.ceil(Math.sqrt(table.rows));
  const png = new PNG({ width: per * w, height: Math.ceil(table.rows / per) * h });
  for (let r = 0; r < table.rows; r++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const v = table.data[r * table.cols + y * w + x]!;
        const at = 4 * ((Math.floor(r / per) * h + y) * per * w + (r % per) * w + x);
        png.data[at] = png.data[at + 1] = png.data[at + 2] = v;
        png.data[at + 3] = 255;
      }
  await writeFileAtomic(path, PNG.sync.write(png));
}
export async function writeCurves(_path: string, _report: Report): Promise<void> {}
export async function writeSampleSheet(path: string, flow: Flow, image: ImageShape): Promise<void> {
  const s = flow.sample(100, { seed: 1 });
  await writeImages(path, { data: s.dataSync(), rows: 100, cols: flow.features }, image);
  s.dispose();
}
