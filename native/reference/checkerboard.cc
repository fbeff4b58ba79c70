// checkerboard: zeros at the positions (h, w) with h + w even (parity 0) or odd (1). Attributes: height·width, width, parity.
#include "reference/reference.h"

namespace flow::reference {

bool checkerboard(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, like(out, in) && call.attr[0] >= 1 && call.attr[1] >= 1 && call.attr[0] < 1e9 && call.attr[1] < 1e9);
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(out);
    for (int64_t r = 0; r < x.rows; ++r) {
      const int64_t position = r % call.int_attr(0), h = position / call.int_attr(1), w = position % call.int_attr(1);
      for (int64_t c = 0; c < x.cols; ++c) y(r, c) = (h + w) % 2 == call.int_attr(2) ? T(0) : x(r, c);
    }
  });
}

}  // namespace flow::reference
