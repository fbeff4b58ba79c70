// masked_linear_grad_weight: dL_dW [units, inputs] = (dL_dyᵀ · x) ⊙ mask, exactly zero outside of the mask.
// in: dL_dy [rows, units], x [rows, inputs], extents; out: dL_dW.
//
// Floor: 2·rows·Σ extents operations; dL_dy, x and dL_dW once. Tiles outside of the staircase write zeros and read nothing; large layers
// are strips of cuBLAS's, core/strips.h.
#include "cuda/core/linear.h"

namespace flow::cuda {
namespace {

bool masked_linear_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &extents = call.in[2], &dL_dW = call.out[0];
  const int64_t units = dL_dy.cols, inputs = x.cols;
  if (!check_shape(call, x, "x", dL_dy.rows, inputs, dL_dy.dtype) || !check_shape(call, dL_dW, "dL_dW", units, inputs, dL_dy.dtype) ||
      !check_extents(call, extents, units, inputs))
    return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    return linear_grad_weight<T>(call, dL_dy, x, &extents, dL_dW);
  });
}

}  // namespace

FLOW_DEFINE_OP(masked_linear_grad_weight) = {"masked_linear_grad_weight", masked_linear_grad_weight, 3, 3, 1, 0};

}  // namespace flow::cuda
