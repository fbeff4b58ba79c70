// What mlp and mlp_grad share: the layers of a network, h_l = act(h_(l−1)·W_lᵀ + b_l), the first one with an addend, the last one
// without activation; unit o of a layer with extents sees the inputs i < extents[o] only.
#pragma once
#include "cuda/core/linear.h"

namespace flow::cuda {

inline constexpr int64_t max_layers = 32;

struct MlpLayer {
  int64_t units, inputs;
  const Operand* weight;
  const Operand* extents;
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
  net.layer[net.layers] = {weight.rows, inputs, &weight, &extents};
  if (!check_shape(call, weight, "weight", weight.rows, inputs, net.dtype)) return false;
  if (!extents.absent() && !check_extents(call, extents, weight.rows)) return false;
  ++net.layers;
  return true;
}

}  // namespace flow::cuda
