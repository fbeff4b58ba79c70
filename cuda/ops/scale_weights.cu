// scale_weights: the weights of all layers of a model times their scales (native/ops/scale_weights.h), in one call.
// in: for each layer weight [O, I], bias [O], log_scale [O], gain [O] (all but the weight may be absent); out: for each weight [O, I],
// and bias [O] where there is one; attributes: factor of log_scale. The layers may be of any sizes.
//
// Floor: each weight read and written once. One launch (for some fifty layers: 4 KB of arguments), a warp a row; a row with a gain is read
// twice, the second time from the cache.
#include "cuda/core/scaled_layers.h"

namespace flow::cuda {
namespace {

struct Scaled {
  ScaledLayer layer;
  char *weight, *bias;
  int64_t ld;
};

template <class T>
__device__ __forceinline__ void scale_row(const LayerTable<Scaled>& table, int k, int64_t o) {
  const int cols = table.entry[k].layer.cols, lane = static_cast<int>(threadIdx.x) % warp_threads;
  const T* v = numbers<T>(table.entry[k].layer.weight) + o * table.entry[k].layer.ld;
  const T* log_scale = numbers<T>(table.entry[k].layer.log_scale);
  const T* gain = numbers<T>(table.entry[k].layer.gain);
  const double outer = log_scale ? exp(table.factor * static_cast<double>(log_scale[o])) : 1;
  double scale = outer;
  if (gain) scale *= static_cast<double>(gain[o]) / sqrt(row_dot(v, v, cols));
  T* w = numbers<T>(table.entry[k].weight) + o * table.entry[k].ld;
  const T s = static_cast<T>(scale);
  for (int c = lane; c < cols; c += warp_threads) w[c] = s * v[c];
  T* bias = numbers<T>(table.entry[k].bias);
  if (bias && lane == 0) bias[o] = static_cast<T>(outer * static_cast<double>(numbers<T>(table.entry[k].layer.bias)[o]));
}

__global__ void __launch_bounds__(block_threads, 4) scale_layers(const LayerTable<Scaled> table) {
  const int k = layer_of(table);
  const int64_t o = static_cast<int64_t>(static_cast<int>(blockIdx.x) - table.entry[k].layer.first) * warps_of_block +
                    static_cast<int>(threadIdx.x) / warp_threads;
  if (o >= table.entry[k].layer.rows) return;
  if (table.entry[k].layer.is_double) scale_row<double>(table, k, o);
  else scale_row<float>(table, k, o);
}

bool scale_weights(const Call& call) {
  int n = 0;
  if (!check_scale_weights(call, n)) return false;
  const auto make = [&](int k) {
    const Operand* out = call.out + 2 * k;
    return Scaled{{}, out[0].as<char>(), out[1].as<char>(), out[0].ld};
  };
  return for_layers<Scaled>(call, 4, n, make, [&](const LayerTable<Scaled>& table, unsigned blocks) {
    FLOW_LAUNCH(scale_layers, blocks, block_threads, 0, table);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(scale_weights) = {"scale_weights", scale_weights, 4, 4096, -1, 1};

}  // namespace flow::cuda
