// conv2d_grad_weight: dL_dW [outputs, taps·inputs], dL_dW_t = Σ_pixels dL_dy[pixel]ᵀ · x[pixel + tap t]; exactly zero for
// taps that are not live. With a second output the column sums of dL_dy, the gradient of a bias, in the same pass.
// in: dL_dy [images·height·width, outputs], x [.., inputs]; out: dL_dW, and perhaps dL_db; attributes: ops/conv2d_operands.h,
// activation none.
#include "ops/conv2d.h"

namespace flow::FLOW_ISA {
namespace {

bool conv2d_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  ConvShape shape;
  if (!read_conv2d_grad_weight(call, shape)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    conv_grad_weight<T>(shape, dL_dy.as<T>(), dL_dy.ld, x.as<T>(), x.ld, dL_dW.as<T>(), dL_dW.ld,
                        call.n_out == 2 ? call.out[1].as<T>() : nullptr);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d_grad_weight) = {"conv2d_grad_weight", conv2d_grad_weight, 2, 2, -1, -1};

}  // namespace flow::FLOW_ISA
