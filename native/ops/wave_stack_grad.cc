// wave_stack_grad: the gradients of wave_stack by all that it takes.
// in: dL_dskip, x, condition or absent, then W, Wo, gates and h (what the layer reads; absent for the first, which reads x) of each
// layer; out, each perhaps absent: dL_dx, dL_dcondition, then dL_dW, dL_db, dL_dWo, dL_dbo of each layer; attributes:
// ops/wave_operands.h.
#include "ops/wave_stack.h"

namespace flow::FLOW_ISA {
namespace {

bool wave_stack_grad(const Call& call) {
  const Operand &dL_dskip = call.in[0], &x = call.in[1], &condition = call.in[2];
  const Operand &dL_dx = call.out[0], &dL_dc = call.out[1];
  WaveShape v{};
  if (!read_wave_stack_grad(call, v)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    WaveLayer<T>* layers = wave_layers<T>(v);
    auto* gradients = reinterpret_cast<WaveGradient<T>*>(layers + v.layers);
    for (int64_t l = 0; l < v.layers; ++l) {
      const Operand *in = call.in + 3 + wave_kept * l, *out = call.out + 2 + wave_weights * l;
      layers[l] = {call.int_attr(1 + static_cast<int>(l)), wave_matrix<const T>(in[0]), nullptr, wave_matrix<const T>(in[1]),
                   nullptr, wave_matrix<T>(in[2]), wave_matrix<T>(l == 0 ? x : in[3])};
      gradients[l] = {wave_matrix<T>(out[0]), out[1].as<T>(), wave_matrix<T>(out[2]), out[3].as<T>()};
    }
    wave_stack_backward<T>(v, layers, wave_matrix<const T>(condition), wave_matrix<const T>(dL_dskip), gradients,
                           wave_matrix<T>(dL_dx), wave_matrix<T>(dL_dc));
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(wave_stack_grad) = {"wave_stack_grad", wave_stack_grad, 7, 3 + wave_kept * most_wave_layers, -1, -1};

}  // namespace flow::FLOW_ISA
