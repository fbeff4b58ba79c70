// What scale_weights and its gradient read of their layers, on either device.
#pragma once
#include "ops/tensor_list_operands.h"

namespace flow::FLOW_ISA {

/** A number a row of the weight. */
inline bool check_rows(const Call& call, const Operand& o, const char* what, const Operand& weight) {
  return check_vector(call, o, what, weight.rows, weight.dtype);
}

/** in[0 … 3] = weight [O, I], bias [O], log_scale [O], gain [O]; all but the weight may be absent. */
inline bool check_scaled_layer(const Call& call, const Operand* in) {
  if (!check_float_list(call, "weight", in, 1)) return false;
  if (!in[1].absent() && !check_rows(call, in[1], "bias", in[0])) return false;
  if (!in[2].absent() && !check_rows(call, in[2], "log_scale", in[0])) return false;
  return in[3].absent() || check_rows(call, in[3], "gain", in[0]);
}

/** `layers`: how many, with `per_in` inputs and `per_out` outputs each. */
inline bool count_scaled_layers(const Call& call, int per_in, int per_out, int& layers) {
  layers = call.n_in / per_in;
  FLOW_CHECK(call, layers > 0 && call.n_in == per_in * layers && call.n_out == per_out * layers,
             "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  return true;
}

inline bool check_scale_weights(const Call& call, int& layers) {
  if (!count_scaled_layers(call, 4, 2, layers)) return false;
  for (int k = 0; k < layers; ++k) {
    const Operand *in = call.in + 4 * k, *out = call.out + 2 * k;
    if (!check_scaled_layer(call, in) || !check_shape(call, out[0], "scaled weight", in[0].rows, in[0].cols, in[0].dtype)) return false;
    FLOW_CHECK(call, in[1].absent() == out[1].absent(), "bias: expected one in and out, or neither");
    if (!out[1].absent() && !check_rows(call, out[1], "scaled bias", in[0])) return false;
  }
  return true;
}

inline bool check_scale_weights_grad(const Call& call, int& layers) {
  if (!count_scaled_layers(call, 6, 4, layers)) return false;
  static const char* const names[4] = {"dL_dweight", "dL_dbias", "dL_dlog_scale", "dL_dgain"};
  for (int k = 0; k < layers; ++k) {
    const Operand *in = call.in + 6 * k, *out = call.out + 4 * k;
    const Operand& weight = in[0];
    if (!check_scaled_layer(call, in) || !check_shape(call, in[4], "dL_dscaled weight", weight.rows, weight.cols, weight.dtype) ||
        !check_shape(call, out[0], names[0], weight.rows, weight.cols, weight.dtype))
      return false;
    FLOW_CHECK(call, in[5].absent() || !in[1].absent(), "dL_dscaled bias: expected none without a bias");
    if (!in[5].absent() && !check_rows(call, in[5], "dL_dscaled bias", weight)) return false;
    for (int j = 1; j < 4; ++j) {
      FLOW_CHECK(call, out[j].absent() || !in[j].absent(), "%s: expected none", names[j]);
      if (!out[j].absent() && !check_rows(call, out[j], names[j], weight)) return false;
    }
  }
  return true;
}

}  // namespace flow::FLOW_ISA
