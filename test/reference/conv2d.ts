/** A convolution by plain loops over images, rows and columns of the kernel: zeros outside, steps written out. */

export interface Plan {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  /** Step from a pixel to row i and to column j of its kernel. */
  readonly rowStep: (i: number) => number;
  readonly columnStep: (j: number) => number;
  /** Whether the weights of tap (i, j) count. */
  readonly isLive: (i: number, j: number) => boolean;
}

/** Calls body(pixel, the pixel that the tap reads, place of the tap) wherever a live tap reads inside of the image. */
function eachTap(plan: Plan, body: (pixel: number, from: number, place: number) => void): void {
  const { images, height, width, kernel } = plan;
  for (let n = 0; n < images; n++) {
    for (let h = 0; h < height; h++) {
      for (let w = 0; w < width; w++) {
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++) {
            const row = h + plan.rowStep(i);
            const column = w + plan.columnStep(j);
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            if (!inside || !plan.isLive(i, j)) continue;
            body(
              (n * height + h) * width + w,
              (n * height + row) * width + column,
              i * kernel[1] + j,
            );
          }
        }
      }
    }
  }
}

/** [pixels, outputs] of x [pixels, inputs] and weight [outputs, (i, j, input)]. */
export function conv2d(plan: Plan, x: Float64Array, weight: Float64Array): Float64Array {
  const { images, height, width, inputs, outputs, kernel } = plan;
  const places = kernel[0] * kernel[1];
  const y = new Float64Array(images * height * width * outputs);
  eachTap(plan, (pixel, from, place) => {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let c = 0; c < inputs; c++) {
        sum += x[from * inputs + c]! * weight[(o * places + place) * inputs + c]!;
      }
      y[pixel * outputs + o]! += sum;
    }
  });
  return y;
}

/** [pixels, inputs] of dy [pixels, outputs] and weight. */
export function conv2dGradInput(plan: Plan, dy: Float64Array, weight: Float64Array): Float64Array {
  const { images, height, width, inputs, outputs, kernel } = plan;
  const places = kernel[0] * kernel[1];
  const dx = new Float64Array(images * height * width * inputs);
  eachTap(plan, (pixel, from, place) => {
    for (let o = 0; o < outputs; o++) {
      for (let c = 0; c < inputs; c++) {
        dx[from * inputs + c]! +=
          dy[pixel * outputs + o]! * weight[(o * places + place) * inputs + c]!;
      }
    }
  });
  return dx;
}

/** [outputs, (i, j, input)] of dy and x. */
export function conv2dGradWeight(plan: Plan, dy: Float64Array, x: Float64Array): Float64Array {
  const { inputs, outputs, kernel } = plan;
  const places = kernel[0] * kernel[1];
  const dw = new Float64Array(outputs * places * inputs);
  eachTap(plan, (pixel, from, place) => {
    for (let o = 0; o < outputs; o++) {
      for (let c = 0; c < inputs; c++) {
        dw[(o * places + place) * inputs + c]! += dy[pixel * outputs + o]! * x[from * inputs + c]!;
      }
    }
  });
  return dw;
}
