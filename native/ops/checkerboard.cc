// checkerboard: zeros at the positions (h, w) of each image with h + w even (parity 0) or odd (parity 1), x at the others.
// in: x [N·height·width, C]; out: y; attributes: height·width, width, parity.
#include "ops/kernel.h"
#include "ops/lanes.h"

namespace flow::FLOW_ISA {
namespace {

bool checkerboard(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK(call, y.dtype == x.dtype, "y: expected %s, got %s", name_of(x.dtype), name_of(y.dtype));
  FLOW_CHECK(call, same_shape(x, y), "y: expected %lld × %lld, got %lld × %lld", static_cast<long long>(x.rows),
             static_cast<long long>(x.cols), static_cast<long long>(y.rows), static_cast<long long>(y.cols));
  const double limit = static_cast<double>(max_of(1, x.rows));
  FLOW_CHECK(call, call.attr[0] >= 1 && call.attr[0] <= limit && x.rows % call.int_attr(0) == 0,
             "positions: expected a divisor of the %lld rows, got %g", static_cast<long long>(x.rows), call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 1 && call.attr[1] <= call.attr[0] && call.int_attr(0) % call.int_attr(1) == 0,
             "width: expected a divisor of the %g positions, got %g", call.attr[0], call.attr[1]);
  FLOW_CHECK(call, call.attr[2] == 0 || call.attr[2] == 1, "parity: expected 0 or 1, got %g", call.attr[2]);
  const int64_t width = call.int_attr(1), height = call.int_attr(0) / width, parity = call.int_attr(2);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    parallel_rows(x.rows / width, 2 * width * x.cols * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line) {
        const T* from = x.as<T>() + line * width * x.ld;
        T* to = y.as<T>() + line * width * y.ld;
        const int64_t odd = (line % height + parity) & 1;
        for (int64_t w = 0; w < width; ++w, from += x.ld, to += y.ld) {
          const bool keep = (w & 1) != odd;
          for_lanes<Vec<T>>(x.cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
            store_live(to + c, keep ? load_live(from + c, live) : Vec<T>(T(0)), live);
          });
        }
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(checkerboard) = {"checkerboard", checkerboard, 1, 1, 1, 3};

}  // namespace flow::FLOW_ISA
