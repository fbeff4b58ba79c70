// What block_inverse reads of its network, on either device. Comes after math/block_network.h.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

/** Reads and checks the layers of block_inverse; V is what the device computes with, a number or a register of them. */
template <class V>
bool read_blocks(const Call& call, BlockNetwork<V>& net) {
  using T = lane_t<V>;
  const Operand& y = call.in[0];
  const int64_t features = y.cols;
  const int layers = (call.n_in - 3) / 2;
  FLOW_CHECK(call, call.n_in == 3 + 2 * layers && layers >= 1 && layers <= most_block_layers,
             "layers: expected weight and bias of 1 to %d, got %d operands", most_block_layers, call.n_in - 3);
  if (!check_shape(call, call.in[2], "gate", 1, 1, y.dtype)) return false;
  net.layers = layers;
  net.base_rows = net.widest = 0;
  int64_t inputs = features, first = 0;
  for (int l = 0; l < layers; ++l) {
    const Operand &weight = call.in[3 + 2 * l], &bias = call.in[4 + 2 * l];
    if (!check_shape(call, weight, "weight", weight.rows, inputs, y.dtype)) return false;
    if (!bias.absent() && !check_shape(call, bias, "bias", 1, weight.rows, y.dtype)) return false;
    FLOW_CHECK(call, features == 0 || (weight.rows > 0 && weight.rows % features == 0),
               "layer %d: expected rows of whole blocks of %lld dimensions, got %lld", l, ll(features), ll(weight.rows));
    const int64_t units = features == 0 ? 1 : weight.rows / features;
    FLOW_CHECK(call, l + 1 < layers || units == 1, "last layer: expected one unit a dimension, got %lld", ll(units));
    net.layer[l] = {weight.template as<T>(), bias.template as<T>(), weight.ld, units, first};
    net.base_rows += units;
    net.widest = max_of(net.widest, units);
    first += weight.rows;
    inputs = weight.rows;
  }
  const Operand& addend = call.in[1];
  return addend.absent() || check_shape(call, addend, "addend", y.rows, features * net.layer[0].units, y.dtype);
}

}  // namespace flow::FLOW_ISA
