// gated_activation_grad: dL_dx = [dL_da | dL_db] of y = tanh(a)·σ(b). in: x = [a | b] (N × 2C), dL_dy (N × C); out: dL_dx.
#include "cuda/core/elementwise.h"
#include "cuda/core/scalar.h"
#include "math/gated_activation.h"

namespace flow::cuda {
namespace {

template <class T, bool by_gate>
struct Gradient {
  __device__ T operator()(T a, T b, T d) const {
    T da, db;
    gated_gradient(a, b, d, da, db);
    return by_gate ? db : da;
  }
};

bool gated_activation_grad(const Call& call) {
  const Operand &x = call.in[0], &dL_dy = call.in[1], &dL_dx = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, dL_dx, x, "dL_dx");
  FLOW_CHECK_SAME_DTYPE(call, dL_dx, x, "dL_dx");
  FLOW_CHECK(call, dL_dy.rows == x.rows && 2 * dL_dy.cols == x.cols,
             "dL_dy: expected half of the columns of %lld × %lld, got %lld × %lld", static_cast<long long>(x.rows),
             static_cast<long long>(x.cols), static_cast<long long>(dL_dy.rows), static_cast<long long>(dL_dy.cols));
  FLOW_CHECK_SAME_DTYPE(call, dL_dy, x, "dL_dy");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Operand a = x, b = x, da = dL_dx, db = dL_dx;
    a.cols = b.cols = da.cols = db.cols = dL_dy.cols;
    b.data = x.as<T>() + dL_dy.cols;
    db.data = dL_dx.as<T>() + dL_dy.cols;
    return map<T, T, T, T>(call, da, Gradient<T, false>{}, a, b, dL_dy) &&
           map<T, T, T, T>(call, db, Gradient<T, true>{}, a, b, dL_dy);
  });
}

}  // namespace

FLOW_DEFINE_OP(gated_activation_grad) = {"gated_activation_grad", gated_activation_grad, 2, 2, 1, 0};

}  // namespace flow::cuda
