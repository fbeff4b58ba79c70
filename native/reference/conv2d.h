// The geometry of the convolution ops: height, width, taps of the whole kernel, activation, its parameter, and place, dy, dx
// of each live tap.
#pragma once
#include "reference/activation.h"

namespace flow::reference {

struct Image {
  int64_t height, width, blocks, taps;
  const double* tap;  // place, dy, dx

  explicit Image(const Call& call)
      : height(call.int_attr(0)), width(call.int_attr(1)), blocks(call.int_attr(2)), taps((call.n_attr - 5) / 3),
        tap(call.attr + 5) {}
  int64_t place(int64_t t) const { return static_cast<int64_t>(tap[3 * t]); }

  // The row of the pixel that tap t reads from row p (sign 1), or that reads p by it (−1); −1 outside of the image.
  int64_t reads(int64_t p, int64_t t, int64_t sign = 1) const {
    const int64_t w = p % width + sign * static_cast<int64_t>(tap[3 * t + 2]);
    const int64_t h = p / width % height + sign * static_cast<int64_t>(tap[3 * t + 1]);
    if (h < 0 || h >= height || w < 0 || w >= width) return -1;
    return p / (width * height) * (width * height) + h * width + w;
  }

  bool fits(const Call& call, int64_t rows, int64_t weight_cols) const {
    if (call.n_attr < 5 || height < 1 || width < 1 || blocks < 1 || rows % (height * width) != 0) return false;
    for (int64_t t = 0; t < taps; ++t)
      if (place(t) < 0 || place(t) >= blocks) return false;
    return weight_cols % blocks == 0;
  }
};

}  // namespace flow::reference
