// What wave_stack, its gradient and wave_generate read of their layers, on either device: operands, and attributes from `at` on, the length
// of a sequence and the dilation of each layer. Comes after ll and check_shape of the device.
#pragma once
#include "core/op.h"
#include "math/wave_shape.h"

namespace flow::FLOW_ISA {

inline constexpr int wave_weights = 4;  // W, b, Wo, bo

/** x, condition (or absent), and the weights of each layer, `stride` inputs apart from `first` on; W is the first of them, Wo the one at `wo_at`. */
inline bool read_wave_shape(const Call& call, const Operand& x, const Operand& condition, int first, int stride, int wo_at,
                            WaveShape& v, int at = 0) {
  const auto whole = [&](int k) { return call.attr[k] >= 1 && call.attr[k] < 1e15 && call.attr[k] == static_cast<double>(call.int_attr(k)); };
  v.layers = call.n_attr - 1 - at;
  FLOW_CHECK(call, v.layers >= 1 && v.layers <= most_wave_layers && call.n_in == first + stride * v.layers,
             "layers: expected 1 to %d with %d inputs each, got %d dilations and %d inputs", static_cast<int>(most_wave_layers),
             stride, call.n_attr - 1 - at, call.n_in);
  for (int i = at; i < call.n_attr; ++i)
    FLOW_CHECK(call, whole(i), "attributes: expected whole numbers above 0, got %g", call.attr[i]);
  v.rows = x.rows;
  v.length = call.int_attr(at);
  FLOW_CHECK(call, x.rows % v.length == 0, "length: expected a divisor of the %lld rows, got %lld", ll(x.rows), ll(v.length));
  v.channels = x.cols;
  v.condition = condition.absent() ? 0 : condition.cols;
  const Operand& last = call.in[first + stride * (v.layers - 1) + wo_at];
  v.gated = last.cols;
  v.skips = last.rows;
  FLOW_CHECK(call, v.channels > 0 && v.gated > 0 && v.skips > 0, "channels: expected at least one of each kind");
  if (!condition.absent() && !check_shape(call, condition, "condition", v.rows, v.condition, x.dtype)) return false;
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand* in = call.in + first + stride * l;
    if (!check_shape(call, in[0], "weight", 2 * v.gated, v.inputs(), x.dtype) ||
        !check_shape(call, in[wo_at], "output weight", v.outputs(l), v.gated, x.dtype))
      return false;
  }
  return true;
}

}  // namespace flow::FLOW_ISA
