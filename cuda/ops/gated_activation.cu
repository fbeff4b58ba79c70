// gated_activation: y = tanh(a)·σ(b), x = [a | b] the halves of its columns. in: x (N × 2C); out: y (N × C).
#include "cuda/core/elementwise.h"
#include "cuda/core/scalar.h"
#include "math/gated_activation.h"

namespace flow::cuda {
namespace {

template <class T>
struct Gate {
  __device__ T operator()(T a, T b) const { return gated_value(a, b); }
};

bool gated_activation(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK(call, x.rows == y.rows && x.cols == 2 * y.cols, "x: expected %lld × %lld, got %lld × %lld",
             static_cast<long long>(y.rows), static_cast<long long>(2 * y.cols), static_cast<long long>(x.rows),
             static_cast<long long>(x.cols));
  FLOW_CHECK_SAME_DTYPE(call, y, x, "y");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Operand a = x, b = x;
    a.cols = b.cols = y.cols;
    b.data = x.as<T>() + y.cols;
    return map<T, T, T>(call, y, Gate<T>{}, a, b);
  });
}

}  // namespace

FLOW_DEFINE_OP(gated_activation) = {"gated_activation", gated_activation, 1, 1, 1, 0};

}  // namespace flow::cuda
