/** An LSTM over one image after the other, pixel by pixel, float64. */
import { sigmoid } from './activations';

const taps = {
  down: [
    [-1, -1],
    [-1, 0],
    [-1, 1],
  ],
  right: [
    [0, -1],
    [-1, 0],
  ],
  left: [
    [0, 1],
    [-1, 0],
  ],
} as const;

/**
 * States [N·height·width, hidden] of gates [.., 4·hidden] (i, f, o, g) and weight [4·hidden, taps·hidden]. Those of `left` are
 * moved one row down, with zeros in the first, after the scan.
 */
export function spatialLstm(
  gates: Float64Array,
  weight: Float64Array,
  height: number,
  width: number,
  direction: keyof typeof taps,
): Float64Array {
  const steps = taps[direction];
  const hidden = Math.sqrt(weight.length / 4 / steps.length);
  const pixels = height * width;
  const h = new Float64Array(gates.length / 4);
  const c = new Float64Array(h.length);
  for (let image = 0; image < h.length / hidden / pixels; image++) {
    for (let row = 0; row < height; row++) {
      for (let k = 0; k < width; k++) {
        const column = direction === 'left' ? width - 1 - k : k;
        const pixel = (r: number, q: number) =>
          r < 0 || q < 0 || q >= width ? -1 : (image * pixels + r * width + q) * hidden;
        const at = pixel(row, column);
        const z = Array.from({ length: 4 * hidden }, (_, j) => {
          let sum = gates[4 * at + j]!;
          steps.forEach(([dy, dx], t) => {
            const from = pixel(row + dy, column + dx);
            if (from < 0) return;
            for (let u = 0; u < hidden; u++)
              sum += weight[(j * steps.length + t) * hidden + u]! * h[from + u]!;
          });
          return sum;
        });
        const [dy, dx] = direction === 'down' ? steps[1]! : steps[0]!;
        const before = pixel(row + dy, column + dx);
        for (let u = 0; u < hidden; u++) {
          const gate = (part: number) => z[part * hidden + u]!;
          const old = before < 0 ? 0 : c[before + u]!;
          c[at + u] = sigmoid(gate(1)) * old + sigmoid(gate(0)) * Math.tanh(gate(3));
          h[at + u] = sigmoid(gate(2)) * Math.tanh(c[at + u]!);
        }
      }
    }
  }
  if (direction !== 'left') return h;
  const below = new Float64Array(h.length);
  const size = pixels * hidden;
  for (let first = 0; first < h.length; first += size) {
    below.set(h.subarray(first, first + size - width * hidden), first + width * hidden);
  }
  return below;
}
