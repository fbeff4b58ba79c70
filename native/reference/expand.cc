// expand: out = scale·in, `in` broadcast, between the floating types. Attribute: scale.
#include "reference/reference.h"

namespace flow::reference {

bool expand(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, (in.rows == out.rows || in.rows == 1) && (in.cols == out.cols || in.cols == 1));
  return for_float(call, in.dtype, [&](auto from) {
    for_float(call, out.dtype, [&](auto to) {
      using To = decltype(to);
      const Broadcast<decltype(from)> x(in);
      const Matrix<To> y(out);
      for (int64_t r = 0; r < y.rows; ++r)
        for (int64_t c = 0; c < y.cols; ++c) y(r, c) = static_cast<To>(call.attr[0] * static_cast<double>(x(r, c)));
    });
  });
}

}  // namespace flow::reference
