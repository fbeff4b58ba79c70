// What wave_generate reads of its operands and attributes, on either device. Comes after max_of of the device.
//
// in: noise [N, T·k], condition [N·T, C] or absent, input weight and bias, weight and bias of the hidden and of the last layer
// behind the skips, the beginning [N, T₀ ≤ T] of the sequences or absent, then W, b, Wo, bo of each layer as wave_stack takes them;
// out: x [N, T]. Attributes: kind, levels L, least logarithm of a scale, T, then the dilation of each layer.
#pragma once
#include "ops/discrete_operands.h"
#include "ops/wave_operands.h"

namespace flow::FLOW_ISA {

inline constexpr int generator_first_layer = 9;

struct WaveGenerator {
  WaveShape shape;
  int kind;
  int64_t levels, length, outputs, hidden;
};

/** That the beginning of kind 0 is of levels is not looked at. */
inline bool read_wave_generate(const Call& call, WaveGenerator& net) {
  constexpr int first_layer = generator_first_layer;
  FLOW_CHECK(call, call.n_attr >= 5 && call.n_in > first_layer, "operands: expected nine and the layers, got %d", call.n_in);
  const Operand *in = call.in, &x = call.out[0];
  FLOW_CHECK(call, whole_attr(call, 0, 0, 3), "kind: expected 0 to 3, got %g", call.attr[0]);
  const int kind = static_cast<int>(call.int_attr(0));
  FLOW_CHECK(call, whole_attr(call, 1, kind < 2 ? 2 : 1, most_levels), "levels: expected a whole number from 2 to 2^24, got %g",
             call.attr[1]);
  FLOW_CHECK(call, call.attr[2] > -80 && call.attr[2] < 80, "least log-scale: expected a number within ±80, got %g", call.attr[2]);
  FLOW_CHECK(call, whole_attr(call, 3, 1, int64_t{1} << 40) && x.rows < (int64_t{1} << 40),
             "length: expected a whole number above 0, got %g", call.attr[3]);
  const int64_t levels = call.int_attr(1), length = call.int_attr(3);
  const Operand &noise = in[0], &embedding = in[2], &given = in[8];
  const int64_t channels = kind == 0 ? embedding.cols : embedding.rows;
  const DType dtype = x.dtype;
  WaveShape& v = net.shape;
  // Shapes are checked as if there were an input of the layers.
  const Operand rows{nullptr, dtype, x.rows * length, channels, channels};
  if (!read_wave_shape(call, rows, in[1], first_layer, wave_weights, 2, v, 3)) return false;
  const int64_t outputs = kind == 0 ? levels : kind == 1 ? in[6].rows : 2, hidden = in[4].rows;
  FLOW_CHECK(call, kind != 1 || (outputs > 0 && outputs % 3 == 0), "last layer: expected 3 outputs a component, got %lld", ll(outputs));
  if (!check_shape(call, x, "x", x.rows, length, dtype) ||
      !check_shape(call, noise, "noise", x.rows, length * (kind == 1 ? 2 : 1), dtype) ||
      !check_shape(call, embedding, "input weight", kind == 0 ? levels + 1 : channels, kind == 0 ? channels : 1, dtype) ||
      (kind != 0 && !check_shape(call, in[3], "input bias", 1, channels, dtype)) ||
      !check_shape(call, in[4], "hidden weight", hidden, v.skips, dtype) || !check_shape(call, in[5], "hidden bias", 1, hidden, dtype) ||
      !check_shape(call, in[6], "last weight", outputs, hidden, dtype) || !check_shape(call, in[7], "last bias", 1, outputs, dtype))
    return false;
  FLOW_CHECK(call, given.absent() || (given.dtype == dtype && given.rows == x.rows && given.cols <= length),
             "beginning: expected %lld rows of up to %lld numbers, got %lld × %lld", ll(x.rows), ll(length), ll(given.rows),
             ll(given.cols));
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand* layer = in + first_layer + wave_weights * l;
    if (!check_shape(call, layer[1], "bias", 1, 2 * v.gated, dtype) || !check_shape(call, layer[3], "output bias", 1, v.outputs(l), dtype))
      return false;
  }
  net.kind = kind;
  net.levels = levels;
  net.length = length;
  net.outputs = outputs;
  net.hidden = hidden;
  return true;
}

}  // namespace flow::FLOW_ISA
