// conv2d: y [pixels, outputs] = act(Σ_t x[pixel + tap t] · W_tᵀ + bias + addend), W_t the columns t·inputs … of the weight.
// in: x [images·height·width, inputs], weight [outputs, taps·inputs], bias or absent, addend or absent; out: y;
// attributes: native/ops/conv2d_operands.h.
//
// Floor: 2·pixels·outputs·live taps·inputs operations; x and y once, the weights. One launch (a second one where the images are few).
#include "cuda/core/conv.h"

namespace flow::cuda {
namespace {

bool conv2d(const Call& call) {
  const Operand &x = call.in[0], &weight = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  ConvShape shape;
  Activation act = Activation::none;
  double param = 0;
  if (!read_conv2d(call, shape, act, param)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return conv_forward<T>(call, shape, x, weight, affine_epilogue<T>(y, bias, &addend, act, param));
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d) = {"conv2d", conv2d, 4, 4, 1, -1};

}  // namespace flow::cuda
