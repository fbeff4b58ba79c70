// conv2d: y [pixels, outputs] = act(Σ_t x[pixel + tap t] · W_tᵀ + bias + addend), W_t the columns t·inputs … of the weight.
// in: x [images·height·width, inputs], weight [outputs, taps·inputs], bias or absent, addend or absent; out: y;
// attributes: ops/conv2d_operands.h.
#include "ops/conv2d.h"

namespace flow::FLOW_ISA {
namespace {

bool conv2d(const Call& call) {
  const Operand &x = call.in[0], &weight = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  ConvShape shape;
  Activation act = Activation::none;
  double param = 0;
  if (!read_conv2d(call, shape, act, param)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Epilogue<T> epilogue;
    epilogue.bias = bias.as<T>();
    epilogue.act = act;
    epilogue.act_param = param;
    if (!addend.absent()) {
      copy_rows<T>(addend, y);
      epilogue.accumulate = true;
    }
    conv_forward<T>(shape, x.as<T>(), x.ld, weight.as<T>(), weight.ld, y.as<T>(), y.ld, epilogue);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv2d) = {"conv2d", conv2d, 4, 4, 1, -1};

}  // namespace flow::FLOW_ISA
