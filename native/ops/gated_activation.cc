// gated_activation: y = tanh(a)·σ(b), x = [a | b] the halves of its columns. in: x (N × 2C); out: y (N × C).
#include "ops/elementwise.h"
#include "ops/lanes.h"
#include "simd/math.h"
#include "math/gated_activation.h"

namespace flow::FLOW_ISA {
namespace {

bool gated_activation(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK(call, x.rows == y.rows && x.cols == 2 * y.cols, "x: expected %lld × %lld, got %lld × %lld", ll(y.rows),
             ll(2 * y.cols), ll(x.rows), ll(x.cols));
  FLOW_CHECK_SAME_DTYPE(call, y, x, "y");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    const int64_t cols = y.cols;
    // Two functions an element: about as long as eight reads and writes.
    parallel_rows(y.rows, max_of(cols, V::width) * 11 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const T *a = x.as<T>() + r * x.ld, *b = a + cols;
        T* to = y.as<T>() + r * y.ld;
        for_lanes<V>(cols, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
          store_live(to + i, gated_value(load_live(a + i, live), load_live(b + i, live)), live);
        });
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(gated_activation) = {"gated_activation", gated_activation, 1, 1, 1, 0};

}  // namespace flow::FLOW_ISA
