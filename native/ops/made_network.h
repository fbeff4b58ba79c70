// The operands of a MADE as the incremental ops take them: hidden layers and the output layer of a masked network whose
// units are sorted by degree.
#pragma once
#include "ops/autoregressive_affine.h"
#include "ops/linear.h"
#include "ops/made_operands.h"

namespace flow::FLOW_ISA {

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

// Checks the layers: shapes (made_operands.h), non-decreasing extents, and that the `each` outputs of feature i depend on the inputs before i
// only.
inline bool read_network(const Call& call, int first, int operands, int64_t features, DType dtype, bool residual,
                         MadeNetwork& network, int64_t each = 2) {
  network.operands = call.in + first;
  if (!check_made_layers(call, first, operands, features, dtype, residual, each, network.layers)) return false;
  for (int l = 0; l < network.layers; ++l) {
    const int32_t* extent = network.extent(l);
    for (int64_t u = 1; u < network.units(l); ++u)
      FLOW_CHECK(call, extent[u] >= extent[u - 1],
                 "layer %d: unit %lld sees fewer inputs than the unit before it: sort the units by degree", l, ll(u));
  }
  for (int64_t row = 0; row < each * features; ++row) {
    const int64_t seen = due_after(network, network.layers - 1, row);
    FLOW_CHECK(call, seen <= row / each, "output %lld depends on input %lld: expected inputs below %lld", ll(row), ll(seen - 1),
               ll(row / each));
  }
  // A unit of the stream must see itself through each pair of layers: then what it adds to is there in time.
  for (int l = 2; residual && l + 1 < network.layers; l += 2)
    for (int64_t u = 0; u < network.units(l); ++u) {
      const int32_t seen = network.extent(l)[u];
      FLOW_CHECK(call, seen > 0 && network.extent(l - 1)[seen - 1] > u,
                 "layer %d: unit %lld does not see itself through the residual pair", l, ll(u));
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
