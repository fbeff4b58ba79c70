// What mlp and mlp_grad read of their operands, on either device. Comes after check_extents of the device.
//
// A network is h_l = act(h_(l−1)·W_lᵀ + b_l), the first layer with an addend, the last one without activation; unit o of a layer
// with extents sees the inputs i < extents[o] only.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t max_layers = 32;

struct MlpLayer {
  int64_t units, inputs;
  const Operand* weight;
  const Operand* extents;  // null: dense

  const int32_t* extent() const { return extents ? extents->as<const int32_t>() : nullptr; }
};

struct MlpNetwork {
  int64_t rows, layers;
  DType dtype;
  Activation act;
  double act_param;
  MlpLayer layer[max_layers];
};

inline bool read_layer(const Call& call, MlpNetwork& net, const Operand& weight, const Operand& extents) {
  const int64_t inputs = net.layers == 0 ? weight.cols : net.layer[net.layers - 1].units;
  net.layer[net.layers] = {weight.rows, inputs, &weight, extents.absent() ? nullptr : &extents};
  if (!check_shape(call, weight, "weight", weight.rows, inputs, net.dtype)) return false;
  if (!extents.absent() && !check_extents(call, extents, weight.rows, inputs)) return false;
  ++net.layers;
  return true;
}

/** in: x, addend or absent, then (weight, bias or absent, extents or absent) a layer; out: the values of each layer, first to last. */
inline bool read_mlp(const Call& call, MlpNetwork& net) {
  const Operand &x = call.in[0], &addend = call.in[1];
  if (!read_activation(call, 0, net.act, net.act_param)) return false;
  FLOW_CHECK(call, call.n_out >= 1 && call.n_out <= max_layers && call.n_in == 2 + 3 * call.n_out,
             "operands: expected 2 + 3 a layer in and 1 a layer out, 1 to %d layers, got %d and %d", static_cast<int>(max_layers),
             call.n_in, call.n_out);
  net.rows = x.rows;
  net.dtype = x.dtype;
  for (int l = 0; l < call.n_out; ++l) {
    const Operand* in = call.in + 2 + 3 * l;
    if (!read_layer(call, net, in[0], in[2])) return false;
    if (!in[1].absent() && !check_shape(call, in[1], "bias", 1, in[0].rows, x.dtype)) return false;
    if (!check_shape(call, call.out[l], "output", x.rows, in[0].rows, x.dtype)) return false;
  }
  if (!check_shape(call, x, "x", x.rows, net.layer[0].inputs, x.dtype)) return false;
  return addend.absent() || check_shape(call, addend, "addend", x.rows, net.layer[0].units, x.dtype);
}

/**
 * in: dL_dy, x, a gradient that dL_dx is added to or absent, (weight, extents or absent) a layer, the `values` of each layer but the last;
 * out, each present or absent: dL_dx, dL_daddend, then (dL_dweight, dL_dbias) a layer.
 */
inline bool read_mlp_grad(const Call& call, MlpNetwork& net, const Operand*& values) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &so_far = call.in[2];
  if (!read_activation(call, 0, net.act, net.act_param)) return false;
  FLOW_CHECK(call, net.act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  const int64_t layers = (call.n_in - 2) / 3;
  FLOW_CHECK(call, layers >= 1 && layers <= max_layers && call.n_in == 2 + 3 * layers && call.n_out == 2 + 2 * layers,
             "operands: expected 2 + 3 a layer in and 2 + 2 a layer out, got %d and %d", call.n_in, call.n_out);
  net.rows = x.rows;
  net.dtype = x.dtype;
  values = call.in + 3 + 2 * layers;
  for (int64_t l = 0; l < layers; ++l) {
    const Operand* in = call.in + 3 + 2 * l;
    if (!read_layer(call, net, in[0], in[1])) return false;
    const MlpLayer& layer = net.layer[l];
    if (l + 1 < layers && !check_shape(call, values[l], "values", x.rows, layer.units, x.dtype)) return false;
    const Operand &d_weight = call.out[2 + 2 * l], &d_bias = call.out[3 + 2 * l];
    if (!d_weight.absent() && !check_shape(call, d_weight, "dL_dweight", layer.units, layer.inputs, x.dtype)) return false;
    if (!d_bias.absent() && !check_shape(call, d_bias, "dL_dbias", 1, layer.units, x.dtype)) return false;
  }
  const Operand &d_x = call.out[0], &d_addend = call.out[1];
  if (!check_shape(call, dL_dy, "dL_dy", x.rows, net.layer[layers - 1].units, x.dtype) ||
      !check_shape(call, x, "x", x.rows, net.layer[0].inputs, x.dtype))
    return false;
  if (!d_x.absent() && !check_shape(call, d_x, "dL_dx", x.rows, x.cols, x.dtype)) return false;
  if (!so_far.absent() && !check_shape(call, so_far, "gradient so far", x.rows, x.cols, x.dtype)) return false;
  return d_addend.absent() || check_shape(call, d_addend, "dL_daddend", x.rows, net.layer[0].units, x.dtype);
}

}  // namespace flow::FLOW_ISA
