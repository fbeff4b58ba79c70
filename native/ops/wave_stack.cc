// wave_stack: the residual layers of a WaveNet; see simd/wave_stack.h for the formulas.
// in: x [sequences·length, R], condition [.., C] or absent, then W [2G, 2R + C], b [2G], Wo [S + R, G] (of the last layer
// [S, G]), bo of each layer; out: skip [.., S], then the factors [.., 2G] of each layer's gate, perhaps absent, then what the
// layers after the first read [.., R], all or none of them there; attributes: ops/wave_stack.h.
#include "ops/wave_stack.h"

namespace flow::FLOW_ISA {
namespace {

bool wave_stack(const Call& call) {
  const Operand &x = call.in[0], &condition = call.in[1], &skip = call.out[0];
  WaveShape v{};
  if (!read_wave_shape(call, x, condition, 2, wave_weights, 2, v)) return false;
  FLOW_CHECK(call, call.n_out == 2 * v.layers, "outputs: expected %lld, got %d", static_cast<long long>(2 * v.layers), call.n_out);
  if (!check_shape(call, skip, "skip", v.rows, v.skips, x.dtype)) return false;
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand *in = call.in + 2 + wave_weights * l, &gates = call.out[1 + l];
    if (!check_shape(call, in[1], "bias", 1, 2 * v.gated, x.dtype) ||
        !check_shape(call, in[3], "output bias", 1, v.outputs(l), x.dtype) ||
        (!gates.absent() && !check_shape(call, gates, "gates", v.rows, 2 * v.gated, x.dtype)))
      return false;
    if (l == 0) continue;
    const Operand& h = call.out[v.layers + l];
    FLOW_CHECK(call, h.absent() == call.out[v.layers + 1].absent(), "outputs: expected all inputs of the layers or none");
    if (!h.absent() && !check_shape(call, h, "layer input", v.rows, v.channels, x.dtype)) return false;
  }
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
