// What wave_stack, its gradient and wave_generate read of their layers, on either device: operands, and attributes from `at` on, the length
// of a sequence and the dilation of each layer.
#pragma once
#include "math/wave_shape.h"
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int wave_weights = 4;  // W, b, Wo, bo
inline constexpr int wave_kept = 4;     // of a layer, for its gradient: W, Wo, gates, h

/** x, condition (or absent), and the weights of each layer, `stride` inputs apart from `first` on; W is the first of them, Wo the one at `wo_at`. */
inline bool read_wave_shape(const Call& call, const Operand& x, const Operand& condition, int first, int stride, int wo_at,
                            WaveShape& v, int at = 0) {
  v.layers = call.n_attr - 1 - at;
  FLOW_CHECK(call, v.layers >= 1 && v.layers <= most_wave_layers && call.n_in == first + stride * v.layers,
             "layers: expected 1 to %d with %d inputs each, got %d dilations and %d inputs", static_cast<int>(most_wave_layers),
             stride, call.n_attr - 1 - at, call.n_in);
  for (int i = at; i < call.n_attr; ++i)
    FLOW_CHECK(call, whole_between(call.attr[i], 1, 1e15 - 1), "attributes: expected whole numbers above 0, got %g", call.attr[i]);
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

inline bool read_wave_stack(const Call& call, WaveShape& v) {
  const Operand &x = call.in[0], &condition = call.in[1], &skip = call.out[0];
  if (!read_wave_shape(call, x, condition, 2, wave_weights, 2, v)) return false;
  FLOW_CHECK(call, call.n_out == 2 * v.layers, "outputs: expected %lld, got %d", ll(2 * v.layers), call.n_out);
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
  return true;
}

inline bool read_wave_stack_grad(const Call& call, WaveShape& v) {
  const Operand &dL_dskip = call.in[0], &x = call.in[1], &condition = call.in[2];
  const Operand &dL_dx = call.out[0], &dL_dc = call.out[1];
  if (!read_wave_shape(call, x, condition, 3, wave_kept, 1, v)) return false;
  FLOW_CHECK(call, call.n_out == 2 + wave_weights * v.layers, "outputs: expected %lld, got %d", ll(2 + wave_weights * v.layers), call.n_out);
  if (!check_shape(call, dL_dskip, "dL_dskip", v.rows, v.skips, x.dtype)) return false;
  if (!dL_dx.absent() && !check_shape(call, dL_dx, "dL_dx", v.rows, v.channels, x.dtype)) return false;
  FLOW_CHECK(call, dL_dc.absent() || v.condition > 0, "dL_dcondition: there is no condition");
  if (!dL_dc.absent() && !check_shape(call, dL_dc, "dL_dcondition", v.rows, v.condition, x.dtype)) return false;
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand *in = call.in + 3 + wave_kept * l, *out = call.out + 2 + wave_weights * l;
    const int64_t sizes[wave_weights][2] = {{2 * v.gated, v.inputs()}, {1, 2 * v.gated}, {v.outputs(l), v.gated}, {1, v.outputs(l)}};
    for (int i = 0; i < wave_weights; ++i)
      if (!out[i].absent() && !check_shape(call, out[i], "gradient of a weight", sizes[i][0], sizes[i][1], x.dtype)) return false;
    if (!check_shape(call, in[2], "gates", v.rows, 2 * v.gated, x.dtype) ||
        (l > 0 && !check_shape(call, in[3], "layer input", v.rows, v.channels, x.dtype)))
      return false;
  }
  return true;
}

}  // namespace flow::FLOW_ISA
