// conv2d_grad_input: dL_dx [pixels, inputs] = Σ_t dL_dy[pixel − tap t] · W_t (⊙ act'), where act' is that of the
// activation whose output x was, written in that output.
// in: dL_dy [images·height·width, outputs], weight [outputs, taps·inputs], x or absent; out: dL_dx; attributes: native/ops/conv2d_operands.h.
//
// Floor: 2·pixels·outputs·live taps·inputs operations; dL_dy, x and dL_dx once. One launch, the gate of the activation in it.
#include "cuda/core/conv.h"

namespace flow::cuda {
namespace {

bool conv2d_grad_input(const Call& call) {
  const Operand &dL_dy = call.in[0], &weight = call.in[1], &x = call.in[2], &dL_dx = call.out[0];
  ConvShape shape;
  Activation act = Activation::none;
  double param = 0;
  if (!read_conv2d_grad_input(call, shape, act, param)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    Epilogue<T> epilogue{dL_dx.as<T>(), dL_dx.ld};
    epilogue.gate = x.as<const T>();
    epilogue.gate_ld = x.ld;
    epilogue.gate_act = act;
    epilogue.gate_param = static_cast<T>(param);
    return conv_grad_input<T>(call, shape, dL_dy, weight, epilogue.settle());
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d_grad_input) = {"conv2d_grad_input", conv2d_grad_input, 3, 3, 1, -1};

}  // namespace flow::cuda
