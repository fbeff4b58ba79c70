// gated_activation_grad: dL_dx = [dL_da | dL_db] of y = tanh(a)·σ(b). in: x = [a | b] (N × 2C), dL_dy (N × C); out: dL_dx.
#include "ops/elementwise.h"
#include "ops/lanes.h"
#include "simd/math.h"
#include "math/gated_activation.h"

namespace flow::FLOW_ISA {
namespace {

bool gated_activation_grad(const Call& call) {
  const Operand &x = call.in[0], &dL_dy = call.in[1], &dL_dx = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, dL_dx, x, "dL_dx");
  FLOW_CHECK_SAME_DTYPE(call, dL_dx, x, "dL_dx");
  FLOW_CHECK(call, dL_dy.rows == x.rows && 2 * dL_dy.cols == x.cols, "dL_dy: expected half of the columns of %lld × %lld, got %lld × %lld",
             ll(x.rows), ll(x.cols), ll(dL_dy.rows), ll(dL_dy.cols));
  FLOW_CHECK_SAME_DTYPE(call, dL_dy, x, "dL_dy");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    const int64_t cols = dL_dy.cols;
    parallel_rows(x.rows, max_of(cols, V::width) * 14 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const T *a = x.as<T>() + r * x.ld, *b = a + cols, *d = dL_dy.as<T>() + r * dL_dy.ld;
        T *da = dL_dx.as<T>() + r * dL_dx.ld, *db = da + cols;
        for_lanes<V>(cols, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
          V by_a, by_b;
          gated_gradient(load_live(a + i, live), load_live(b + i, live), load_live(d + i, live), by_a, by_b);
          store_live(da + i, by_a, live);
          store_live(db + i, by_b, live);
        });
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(gated_activation_grad) = {"gated_activation_grad", gated_activation_grad, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
