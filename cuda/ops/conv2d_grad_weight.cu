// conv2d_grad_weight: dL_dW [outputs, taps·inputs], dL_dW_t = Σ_pixels dL_dy[pixel]ᵀ · x[pixel + tap t]; exactly zero for
// taps that are not live. With a second output the column sums of dL_dy, the gradient of a bias, in the same pass.
// in: dL_dy [images·height·width, outputs], x [.., inputs]; out: dL_dW, and perhaps dL_db; attributes: core/conv.h,
// activation none.
//
// Floor: 2·pixels·outputs·live taps·inputs operations; dL_dy and x once. The pixels are cut into parts that fill the device, and the
// parts added in order; tiles of dead taps write zeros and read nothing.
#include "cuda/core/conv.h"

namespace flow::cuda {
namespace {

bool conv2d_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  FLOW_CHECK(call, call.n_out == 1 || call.n_out == 2, "outputs: expected one or two, got %d", call.n_out);
  ConvShape shape;
  if (!read_conv(call, dL_dy.rows, dL_dy.cols, dL_dW.cols, shape)) return false;
  FLOW_CHECK(call, call.attr[3] == 0, "activation: expected none (0), got %g", call.attr[3]);
  if (!check_shape(call, x, "x", dL_dy.rows, shape.inputs, dL_dy.dtype) ||
      !check_shape(call, dL_dW, "dL_dW", shape.outputs, dL_dW.cols, dL_dy.dtype))
    return false;
  if (call.n_out == 2 && !check_shape(call, call.out[1], "dL_db", 1, shape.outputs, dL_dy.dtype)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    return conv_grad_weight<T>(call, shape, dL_dy, x, dL_dW, call.n_out == 2 ? call.out[1].as<T>() : nullptr);
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d_grad_weight) = {"conv2d_grad_weight", conv2d_grad_weight, 2, 2, -1, -1};

}  // namespace flow::cuda
