// scale_weights_grad: backward of scale_weights, for all layers of a model in one call. With D = dL_dscaled weight, t = v_o·D_o and the
// scales s = e·g of native/ops/scale_weights.h:
//   dL_dv_o = s·(D_o − v_o·t/‖v_o‖²), without gain s·D_o; dL_dgain_o = e·t/‖v_o‖
//   dL_dbias_o = e·dL_dscaled bias_o; dL_dlog_scale_o = factor·(s·t + bias_o·dL_dbias_o)
// in: for each layer weight, bias, log_scale, gain as in scale_weights, dL_dscaled weight, dL_dscaled bias or absent (0); out: for each
// dL_dweight, and dL_dbias, dL_dlog_scale, dL_dgain or absent; attributes: factor of log_scale.
//
// Floor: weight and D read, dL_dweight written once. One launch (for some thirty layers: 4 KB of arguments), a warp a row, which is read
// from memory once and from the cache again.
#include "cuda/core/scaled_layers.h"

namespace flow::cuda {
namespace {

struct Differentiated {
  ScaledLayer layer;
  const char *d_scaled, *d_bias;
  char *weight, *bias, *log_scale, *gain;
  int32_t d_ld, ld;
};

template <class T>
__device__ __forceinline__ void differentiate_row(const LayerTable<Differentiated>& table, int k, int64_t o) {
  const int cols = table.entry[k].layer.cols, lane = static_cast<int>(threadIdx.x) % warp_threads;
  const T* v = numbers<T>(table.entry[k].layer.weight) + o * table.entry[k].layer.ld;
  const T* d = numbers<T>(table.entry[k].d_scaled) + o * table.entry[k].d_ld;
  const T* log_scale = numbers<T>(table.entry[k].layer.log_scale);
  const T* gain = numbers<T>(table.entry[k].layer.gain);
  const double outer = log_scale ? exp(table.factor * static_cast<double>(log_scale[o])) : 1;
  const double dot = row_dot(v, d, cols);
  double scale = outer, squares = 1;
  if (gain) {
    squares = row_dot(v, v, cols);
    scale *= static_cast<double>(gain[o]) / sqrt(squares);
  }
  T* dv = numbers<T>(table.entry[k].weight) + o * table.entry[k].ld;
  const T s = static_cast<T>(scale), along = gain ? static_cast<T>(-scale * dot / squares) : T(0);
  if (gain)
    for (int c = lane; c < cols; c += warp_threads) dv[c] = fma(along, v[c], s * d[c]);
  else
    for (int c = lane; c < cols; c += warp_threads) dv[c] = s * d[c];
  if (lane != 0) return;
  const T* bias = numbers<T>(table.entry[k].layer.bias);
  const T* d_bias = numbers<T>(table.entry[k].d_bias);
  double beside = d_bias ? outer * static_cast<double>(d_bias[o]) : 0;
  if (T* to = numbers<T>(table.entry[k].bias)) to[o] = static_cast<T>(beside);
  beside = bias ? beside * static_cast<double>(bias[o]) : 0;
  if (T* to = numbers<T>(table.entry[k].log_scale)) to[o] = static_cast<T>(table.factor * (scale * dot + beside));
  if (T* to = numbers<T>(table.entry[k].gain)) to[o] = static_cast<T>(outer * dot / sqrt(squares));
}

__global__ void __launch_bounds__(block_threads, 4) differentiate_layers(const LayerTable<Differentiated> table) {
  const int k = layer_of(table);
  const int64_t o = static_cast<int64_t>(static_cast<int>(blockIdx.x) - table.entry[k].layer.first) * warps_of_block +
                    static_cast<int>(threadIdx.x) / warp_threads;
  if (o >= table.entry[k].layer.rows) return;
  if (table.entry[k].layer.is_double) differentiate_row<double>(table, k, o);
  else differentiate_row<float>(table, k, o);
}

bool scale_weights_grad(const Call& call) {
  int n = 0;
  if (!check_scale_weights_grad(call, n)) return false;
  for (int k = 0; k < n; ++k)
    FLOW_CHECK(call, call.in[6 * k + 4].ld <= INT32_MAX && call.out[4 * k].ld <= INT32_MAX, "dL_dscaled weight: rows are too long");
  const auto make = [&](int k) {
    const Operand *in = call.in + 6 * k, *out = call.out + 4 * k;
    return Differentiated{{},
                          in[4].as<const char>(),
                          in[5].as<const char>(),
                          out[0].as<char>(),
                          out[1].as<char>(),
                          out[2].as<char>(),
                          out[3].as<char>(),
                          static_cast<int32_t>(in[4].ld),
                          static_cast<int32_t>(out[0].ld)};
  };
  return for_layers<Differentiated>(call, 6, n, make, [&](const LayerTable<Differentiated>& table, unsigned blocks) {
    FLOW_LAUNCH(differentiate_layers, blocks, block_threads, 0, table);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(scale_weights_grad) = {"scale_weights_grad", scale_weights_grad, 6, 4096, -1, 1};

}  // namespace flow::cuda
