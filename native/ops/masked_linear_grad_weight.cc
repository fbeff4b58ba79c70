// masked_linear_grad_weight: dL_dW [units, inputs] = (dL_dyᵀ · x) ⊙ mask, exactly zero outside of the mask.
// in: dL_dy [rows, units], x [rows, inputs], extents; out: dL_dW.
#include "ops/linear.h"

namespace flow::FLOW_ISA {
namespace {

bool masked_linear_grad_weight(const Call& call) {
  const Operand& dL_dy = call.in[0];
  const Operand& x = call.in[1];
  const Operand& dL_dW = call.out[0];
  const int64_t rows = dL_dy.rows, units = dL_dy.cols, inputs = x.cols;
  if (!check_shape(call, x, "x", rows, inputs, dL_dy.dtype) ||
      !check_shape(call, dL_dW, "dL_dW", units, inputs, dL_dy.dtype) ||
      !check_extents(call, call.in[2], units, inputs))
    return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    masked_grad_weight<T>(rows, units, inputs, dL_dy.as<T>(), dL_dy.ld, x.as<T>(), x.ld,
                          {call.in[2].as<int32_t>(), units}, dL_dW.as<T>(), dL_dW.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(masked_linear_grad_weight) = {"masked_linear_grad_weight", masked_linear_grad_weight, 3, 3, 1, 0};

}  // namespace flow::FLOW_ISA
