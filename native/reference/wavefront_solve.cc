// wavefront_solve: pixel after pixel in the order of a·h + b·w, x = D⁻¹(y − Σ_t W_t x[tap t]), or the same with the transposed
// matrices, backwards. Attributes: a, b, lower, transpose, then the geometry.
#include <algorithm>
#include <vector>

#include "reference/conv2d.h"

namespace flow::reference {

bool wavefront_solve(const Call& call) {
  const Operand &in = call.in[0], &weight = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, call.n_attr >= 9);
  const Image image(call.attr + 4, (call.n_attr - 9) / 3);
  const bool lower = call.attr[2] != 0, transpose = call.attr[3] != 0;
  const int64_t channels = in.cols, pixels = image.height * image.width;
  FLOW_AGREE(call, like(out, in) && image.fits(in.rows, weight.cols) && is(weight, channels, image.blocks * channels, in.dtype));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> y(in), w(weight), x(out);
    const auto wave = [&](int64_t p) {
      const double place = call.attr[0] * static_cast<double>(p / image.width) + call.attr[1] * static_cast<double>(p % image.width);
      return transpose ? -place : place;
    };
    std::vector<int64_t> order(static_cast<size_t>(pixels));
    for (int64_t p = 0; p < pixels; ++p) order[static_cast<size_t>(p)] = p;
    std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) { return wave(p) < wave(q); });
    for (int64_t start = 0; start < in.rows; start += pixels) {
      for (const int64_t p : order) {
        std::vector<double> rest(static_cast<size_t>(channels));
        int64_t own = 0;
        for (int64_t c = 0; c < channels; ++c) rest[static_cast<size_t>(c)] = static_cast<double>(y(start + p, c));
        for (int64_t t = 0; t < image.taps; ++t) {
          const int64_t block = image.place(t) * channels;
          if (image.tap[3 * t + 1] == 0 && image.tap[3 * t + 2] == 0) {
            own = block;
            continue;
          }
          const int64_t from = image.reads(start + p, t, transpose ? -1 : 1);
          if (from < 0) continue;
          for (int64_t o = 0; o < channels; ++o)
            for (int64_t i = 0; i < channels; ++i)
              rest[static_cast<size_t>(transpose ? i : o)] -=
                  static_cast<double>(w(o, block + i)) * static_cast<double>(x(from, transpose ? o : i));
        }
        // lower: from the first channel; the transpose turns it round.
        for (int64_t k = 0; k < channels; ++k) {
          const int64_t c = lower != transpose ? k : channels - 1 - k;
          double sum = rest[static_cast<size_t>(c)];
          for (int64_t j = 0; j < k; ++j) {
            const int64_t d = lower != transpose ? j : channels - 1 - j;
            sum -= static_cast<double>(transpose ? w(d, own + c) : w(c, own + d)) * static_cast<double>(x(start + p, d));
          }
          x(start + p, c) = static_cast<T>(sum / static_cast<double>(w(c, own + c)));
        }
      }
    }
  });
}

}  // namespace flow::reference
