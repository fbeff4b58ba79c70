// What the incremental ops read of a MADE, on either device. Comes after check_extents of the device.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int max_made_layers = 60;  // of a kernel on a GPU: its arguments take 4 KB

/**
 * in[first], in[first + 1], … = weight [units, inputs], bias [units] or absent, extents int32 [units] of each layer, the output layer last, of
 * `each` units a feature: shapes that follow each other. `residual`: hidden layers 2, 4, … add the stream of layer 0, 2, ….
 */
inline bool check_made_layers(const Call& call, int first, int operands, int64_t features, DType dtype, bool residual, int64_t each,
                              int& layers) {
  FLOW_CHECK(call, operands >= 3 && operands % 3 == 0 && operands / 3 <= max_made_layers,
             "layers: expected weight, bias and extents of 1 to %d layers, got %d operands", max_made_layers, operands);
  layers = operands / 3;
  int64_t inputs = features;
  for (int l = 0; l < layers; ++l) {
    const Operand* own = call.in + first + 3 * l;
    const int64_t units = own[0].rows;
    if (!check_shape(call, own[0], "weight", units, inputs, dtype)) return false;
    if (!own[1].absent() && !check_shape(call, own[1], "bias", 1, units, dtype)) return false;
    if (!check_extents(call, own[2], units, inputs)) return false;
    if (residual && l > 0 && l + 1 < layers)
      FLOW_CHECK(call, units == call.in[first].rows, "layer %d: a residual network has layers of one width", l);
    inputs = units;
  }
  FLOW_CHECK(call, inputs == each * features, "output layer: expected %lld units, got %lld", ll(each * features), ll(inputs));
  FLOW_CHECK(call, !residual || layers % 2 == 0, "residual: expected an odd number of hidden layers, got %d", layers - 1);
  return true;
}

/** The other operands of made_inverse_grad, whose network begins at in[5]; `sums`: in[3] are gradients by the parameters, and not by the
 *  log-determinant. */
inline bool check_made_inverse_grad(const Call& call, int layers, int64_t each, bool sums) {
  const Operand &x = call.in[0], &direct = call.in[4];
  const Operand* hidden = call.in + 5 + 3 * layers;
  const int64_t features = x.cols;
  if (!check_like(call, call.in[1], "params", x, each * features) || !check_like(call, call.out[0], "dL_dy", x, features) ||
      !check_like(call, call.out[1], "dL_dparams", x, each * features))
    return false;
  for (int l = 0; l + 1 < layers; ++l) {
    const int64_t units = call.in[5 + 3 * l].rows;
    if (!check_like(call, hidden[l], "hidden values", x, units) || !check_like(call, call.out[2 + l], "dL_dz", x, units)) return false;
  }
  if (!call.in[2].absent() && !check_like(call, call.in[2], "dL_dx", x, features)) return false;
  if (!call.in[3].absent() && !(sums ? check_like(call, call.in[3], "dL_dparams of the log-determinant", x, each * features)
                                     : check_log_det(call, call.in[3], "dL_dlogDet", x.rows)))
    return false;
  return direct.absent() || check_shape(call, direct, "direct weight", each * features, features, x.dtype);
}

}  // namespace flow::FLOW_ISA
