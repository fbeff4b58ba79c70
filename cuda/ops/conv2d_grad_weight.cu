// conv2d_grad_weight: dL_dW [outputs, taps·inputs], dL_dW_t = Σ_pixels dL_dy[pixel]ᵀ · x[pixel + tap t]; exactly zero for
// taps that are not live. With a second output the column sums of dL_dy, the gradient of a bias, in the same pass.
// in: dL_dy [images·height·width, outputs], x [.., inputs]; out: dL_dW, and perhaps dL_db; attributes: native/ops/conv2d_operands.h,
// activation none.
//
// Floor: 2·pixels·outputs·live taps·inputs operations; dL_dy and x once. The pixels are cut into parts that fill the device, and the
// parts added in order; tiles of dead taps write zeros and read nothing.
#include "cuda/core/conv.h"

namespace flow::cuda {
namespace {

bool conv2d_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  ConvShape shape;
  if (!read_conv2d_grad_weight(call, shape)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    return conv_grad_weight<T>(call, shape, dL_dy, x, dL_dW, call.n_out == 2 ? call.out[1].as<T>() : nullptr);
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d_grad_weight) = {"conv2d_grad_weight", conv2d_grad_weight, 2, 2, -1, -1};

}  // namespace flow::cuda
