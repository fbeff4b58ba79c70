// The operands of a MADE as the incremental ops take them: hidden layers and the output layer of a masked network whose
// units are sorted by degree.
#pragma once
#include "ops/autoregressive_affine.h"
#include "ops/linear.h"

namespace flow::FLOW_ISA {

inline constexpr int max_made_layers = 60;  // as on a GPU

// in[first], in[first + 1], … = weight [units, inputs], bias [units] or absent, extents int32 [units] of each layer, the
// output layer last.
struct MadeNetwork {
  int layers = 0;  // hidden layers and the output layer
  const Operand* operands = nullptr;

  const Operand& weight(int layer) const { return operands[3 * layer]; }
  const Operand& bias(int layer) const { return operands[3 * layer + 1]; }
  const int32_t* extent(int layer) const { return operands[3 * layer + 2].as<int32_t>(); }
  int64_t units(int layer) const { return weight(layer).rows; }
  int64_t inputs(int layer) const { return weight(layer).cols; }
};

// How many of the first inputs unit u of a layer depends on: its last input unit sees the most, the extents are sorted.
inline int64_t due_after(const MadeNetwork& network, int layer, int64_t unit) {
  int64_t seen = network.extent(layer)[unit];
  for (int l = layer - 1; l >= 0 && seen > 0; --l) seen = network.extent(l)[seen - 1];
  return seen;
}

// Checks the layers: shapes that follow each other from `features` to each·features, non-decreasing extents, and that the
// `each` outputs of feature i depend on the inputs before i only. `residual`: hidden layers 2, 4, … add the stream of layer 0, 2, ….
inline bool read_network(const Call& call, int first, int operands, int64_t features, DType dtype, bool residual,
                         MadeNetwork& network, int64_t each = 2) {
  FLOW_CHECK(call, operands >= 3 && operands % 3 == 0 && operands / 3 <= max_made_layers,
             "layers: expected weight, bias and extents of 1 to %d layers, got %d operands", max_made_layers, operands);
  network.layers = operands / 3;
  network.operands = call.in + first;
  int64_t inputs = features;
  for (int l = 0; l < network.layers; ++l) {
    const Operand& weight = network.weight(l);
    if (!check_shape(call, weight, "weight", weight.rows, inputs, dtype)) return false;
    if (!network.bias(l).absent() && !check_shape(call, network.bias(l), "bias", 1, weight.rows, dtype)) return false;
    if (!check_extents(call, network.operands[3 * l + 2], weight.rows, inputs)) return false;
    const int32_t* extent = network.extent(l);
    for (int64_t u = 1; u < weight.rows; ++u)
      FLOW_CHECK(call, extent[u] >= extent[u - 1],
                 "layer %d: unit %lld sees fewer inputs than the unit before it: sort the units by degree", l,
                 static_cast<long long>(u));
    if (residual && l > 0 && l + 1 < network.layers)
      FLOW_CHECK(call, weight.rows == network.units(0), "layer %d: a residual network has layers of one width", l);
    inputs = weight.rows;
  }
  FLOW_CHECK(call, inputs == each * features, "output layer: expected %lld units, got %lld",
             static_cast<long long>(each * features), static_cast<long long>(inputs));
  for (int64_t row = 0; row < inputs; ++row) {
    const int64_t seen = due_after(network, network.layers - 1, row);
    FLOW_CHECK(call, seen <= row / each, "output %lld depends on input %lld: expected inputs below %lld",
               static_cast<long long>(row), static_cast<long long>(seen - 1), static_cast<long long>(row / each));
  }
  // A unit of the stream must see itself through each pair of layers: then what it adds to is there in time.
  FLOW_CHECK(call, !residual || network.layers % 2 == 0, "residual: expected an odd number of hidden layers, got %d",
             network.layers - 1);
  for (int l = 2; residual && l + 1 < network.layers; l += 2)
    for (int64_t u = 0; u < network.units(l); ++u) {
      const int32_t seen = network.extent(l)[u];
      FLOW_CHECK(call, seen > 0 && network.extent(l - 1)[seen - 1] > u,
                 "layer %d: unit %lld does not see itself through the residual pair", l, static_cast<long long>(u));
    }
  return true;
}

// Samples side by side: enough registers to use the accumulators, few enough that their values stay in the second-level
// cache and that there are tiles for several threads.
template <class T>
int64_t lanes_of(int64_t samples) {
  constexpr int64_t w = Vec<T>::width;
  if (samples <= 4 * w) return w;
  if (samples <= 16 * w) return 2 * w;
  return 4 * w;
}

}  // namespace flow::FLOW_ISA
