// wave_stack: the residual layers of a WaveNet; see simd/wave_stack.h for the formulas.
// in: x [sequences·length, R], condition [.., C] or absent, then W [2G, 2R + C], b [2G], Wo [S + R, G] (of the last layer
// [S, G]), bo of each layer; out: skip [.., S], then the factors [.., 2G] of each layer's gate, perhaps absent, then what the
// layers after the first read [.., R], all or none of them there; attributes: ops/wave_operands.h.
#include "ops/wave_stack.h"

namespace flow::FLOW_ISA {
namespace {

bool wave_stack(const Call& call) {
  WaveShape v{};
  if (!read_wave_stack(call, v)) return false;
  const Operand &x = call.in[0], &condition = call.in[1], &skip = call.out[0];
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    WaveLayer<T>* layers = wave_layers<T>(v);
    for (int64_t l = 0; l < v.layers; ++l) {
      const Operand* in = call.in + 2 + wave_weights * l;
      layers[l] = {call.int_attr(1 + static_cast<int>(l)), wave_matrix<const T>(in[0]), in[1].as<const T>(),
                   wave_matrix<const T>(in[2]), in[3].as<const T>(), wave_matrix<T>(call.out[1 + l]),
                   wave_matrix<T>(l == 0 ? x : call.out[v.layers + l])};
    }
    wave_stack_forward<T>(v, layers, wave_matrix<const T>(condition), wave_matrix<T>(skip));
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(wave_stack) = {"wave_stack", wave_stack, 6, 2 + wave_weights * most_wave_layers, -1, -1};

}  // namespace flow::FLOW_ISA
