/** Smaller pictures of three channels. */
import type { Pixels } from './decodeImage';

/** The middle of a picture. */
export function cropped(pixels: Pixels, height: number, width: number): Pixels {
  if (pixels.height === height && pixels.width === width) return pixels;
  const [top, left] = [
    Math.floor((pixels.height - height) / 2),
    Math.floor((pixels.width - width) / 2),
  ];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const from = ((y + top) * pixels.width + left) * 3;
    data.set(pixels.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { data, width, height };
}

/** Scaled down, its proportions kept, until one side is as wanted and the other not smaller. */
export function shrunkToCover(pixels: Pixels, height: number, width: number): Pixels {
  const factor = Math.max(height / pixels.height, width / pixels.width);
  const size = (from: number, least: number) => Math.max(least, Math.round(from * factor));
  return shrunk(pixels, size(pixels.height, height), size(pixels.width, width));
}

/** Each new pixel is the mean of what it covers of the old ones: first along the lines, then down the columns. */
function shrunk({ data, height, width }: Pixels, newHeight: number, newWidth: number): Pixels {
  const across = new Float32Array(height * newWidth * 3);
  const columns = shares(width, newWidth);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < newWidth; x++)
      for (const { index, weight } of columns[x] as readonly Share[])
        for (let c = 0; c < 3; c++)
          across[(y * newWidth + x) * 3 + c]! +=
            weight * (data[(y * width + index) * 3 + c] as number);
  const line = newWidth * 3;
  const result = new Uint8Array(newHeight * line);
  const rows = shares(height, newHeight);
  const sums = new Float32Array(line);
  for (let y = 0; y < newHeight; y++) {
    sums.fill(0);
    for (const { index, weight } of rows[y] as readonly Share[])
      for (let i = 0; i < line; i++) sums[i]! += weight * (across[index * line + i] as number);
    for (let i = 0; i < line; i++) result[y * line + i] = Math.round(sums[i] as number);
  }
  return { data: result, height: newHeight, width: newWidth };
}

interface Share {
  readonly index: number;
  readonly weight: number;
}

/** Which of `from` cells each of `to` cells covers, and which part of itself each of them is. */
function shares(from: number, to: number): Share[][] {
  const step = from / to;
  return Array.from({ length: to }, (_, k) => {
    const [start, end] = [k * step, (k + 1) * step];
    const parts: Share[] = [];
    for (let index = Math.floor(start); index < Math.min(from, Math.ceil(end - 1e-9)); index++) {
      const covered = Math.min(end, index + 1) - Math.max(start, index);
      if (covered > 0) parts.push({ index, weight: covered / step });
    }
    return parts;
  });
}
