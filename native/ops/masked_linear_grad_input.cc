// masked_linear_grad_input: dL_dx [rows, inputs] = dL_dy [rows, units] · (W ⊙ mask).
// in: dL_dy, weight, extents; out: dL_dx.
#include "ops/linear.h"

namespace flow::FLOW_ISA {
namespace {

bool masked_linear_grad_input(const Call& call) {
  const Operand& dL_dy = call.in[0];
  const Operand& weight = call.in[1];
  const Operand& dL_dx = call.out[0];
  const int64_t rows = dL_dy.rows, units = weight.rows, inputs = weight.cols;
  if (!check_shape(call, dL_dy, "dL_dy", rows, units, dL_dy.dtype) ||
      !check_shape(call, weight, "weight", units, inputs, dL_dy.dtype) ||
      !check_shape(call, dL_dx, "dL_dx", rows, inputs, dL_dy.dtype) ||
      !check_extents(call, call.in[2], units, inputs))
    return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    masked_grad_input<T>(rows, units, inputs, dL_dy.as<T>(), dL_dy.ld, weight.as<T>(), weight.ld,
                         {call.in[2].as<int32_t>(), units}, dL_dx.as<T>(), dL_dx.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(masked_linear_grad_input) = {"masked_linear_grad_input", masked_linear_grad_input, 3, 3, 1, 0};

}  // namespace flow::FLOW_ISA
