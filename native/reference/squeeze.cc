// squeeze: out[n, i, j, (a, b, c)] = x[n, 2i + a, 2j + b, c] for x [N, H, W, C], or back.
// Attributes: height, width, channels, back.
#include "reference/reference.h"

namespace flow::reference {

bool squeeze(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  const int64_t height = call.int_attr(0), width = call.int_attr(1), channels = call.int_attr(2);
  FLOW_AGREE(call, like(out, in) && height * width * channels == in.cols && height % 2 == 0 && width % 2 == 0);
  return for_float(call, in.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> x(in), y(out);
    for (int64_t n = 0; n < x.rows; ++n)
      for (int64_t h = 0; h < height; ++h)
        for (int64_t w = 0; w < width; ++w)
          for (int64_t c = 0; c < channels; ++c) {
            const int64_t pixel = (h * width + w) * channels + c;
            const int64_t block = h / 2 * (width / 2) + w / 2;
            const int64_t deep = block * 4 * channels + (h % 2 * 2 + w % 2) * channels + c;
            if (call.attr[3] != 0) y(n, pixel) = x(n, deep);
            else y(n, deep) = x(n, pixel);
          }
  });
}

}  // namespace flow::reference
