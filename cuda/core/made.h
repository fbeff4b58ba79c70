// The operands of a MADE as the incremental ops take them, and how a block works off their units.
//
// A block takes 32 samples (core/lanes.h) through all dimensions: values stand in shared memory, a warp computes a unit, each once, as soon
// as what it sees is known. No launch and no exchange between blocks in between. Networks whose values do not fit shared memory have them
// in the workspace: the same kernel, only slower.
//
// Extents are data of the device: that they grow, stay in the matrix and let output pair i see the inputs before i only is not looked
// at. Where they do not, results are wrong or NaN, but nothing is accessed outside of the operands.
#pragma once
#include "cuda/core/lanes.h"
#include "cuda/core/linear.h"
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "cuda/core/shared.h"
// The formulas come after the functions that they call.
#include "math/autoregressive_affine.h"
#include "ops/made_operands.h"

namespace flow::cuda {

/** Scale maps that mean: not affine, but the increasing function (16; backward: the derivatives that the caller brings) or the spline (17) that
 *  the attributes behind them say. */
inline constexpr double monotone_map = 16, spline_map = 17;
template <class T>
struct MadeLayer {
  const T* weight;
  const T* bias;
  const int32_t* extents;
  int ld, units, inputs;
  int row;  // where its units stand among the rows of values

  __device__ __forceinline__ int extent(int u) const {
    const int e = extents[u];
    return e < 0 ? 0 : e < inputs ? e : inputs;
  }
};

template <class T>
struct MadeNetwork {
  MadeLayer<T> layer[max_made_layers];
  const T* direct;  // [P·D, D], output row r sees the inputs below r/P
  int direct_ld;
  int layers;       // hidden layers and the output layer
  int features, rows, stream;  // rows of values; where the stream stands, or −1
  Activation act;
  T act_param;
  ScaleMap map;
  T bound;
  int64_t samples;
};

/** As check_made_layers, and that a kernel can count what they have. */
inline bool check_network(const Call& call, int first, int operands, int64_t features, DType dtype, bool residual, int& layers,
                          int64_t each) {
  if (!check_made_layers(call, first, operands, features, dtype, residual, each, layers)) return false;
  for (int l = 0; l < layers; ++l) {
    const Operand& weight = call.in[first + 3 * l];
    FLOW_CHECK(call, weight.ld < (1 << 30) && weight.rows < (1 << 30), "layer %d: it is too large", l);
  }
  return true;
}

/** The rows of values begin with `row`: those of hidden layers, then the stream. */
template <class T>
bool read_network(const Call& call, int first, int layers, int row, const Operand& direct, int64_t samples, int64_t features,
                  bool residual, Activation act, double act_param, MadeNetwork<T>& net) {
  const double code = call.attr[2], bound = call.attr[3];
  const bool other = code == monotone_map || code == spline_map;
  FLOW_CHECK(call, other || code == 4 || bound > 0, "scale bound: expected a number above 0, got %g", bound);
  FLOW_CHECK(call, other || code == 0 || code == 1 || code == 2 || code == 3 || code == 4, "scale map: expected a code from 0 to %d, got %g",
             scale_map_count - 1, code);
  for (int l = 0; l < layers; ++l) {
    const Operand* own = call.in + first + 3 * l;
    net.layer[l] = {own[0].as<const T>(), own[1].as<const T>(), own[2].as<const int32_t>(), static_cast<int>(own[0].ld),
                    static_cast<int>(own[0].rows), static_cast<int>(own[0].cols), row};
    if (l + 1 < layers) row += net.layer[l].units;
  }
  net.stream = residual && layers > 1 ? row : -1;
  net.rows = row + (net.stream >= 0 ? net.layer[0].units : 0);
  net.layers = layers;
  net.direct = direct.as<const T>();
  net.direct_ld = static_cast<int>(direct.ld);
  net.features = static_cast<int>(features);
  net.act = act;
  net.act_param = static_cast<T>(act_param);
  net.map = other ? ScaleMap::none : static_cast<ScaleMap>(static_cast<int>(code));
  net.bound = static_cast<T>(bound);
  net.samples = samples;
  return true;
}

/** What a block has beside the values: parts of sums, and how far each layer is. */
template <class T>
struct MadeShared {
  T* parts;  // [warps][pitch]
  int* done;  // [layers]
  T* values;

  __host__ __device__ static size_t bytes(int layers) {
    return (lane_warps * lane_pitch * sizeof(T) + static_cast<size_t>(layers) * sizeof(int) + 15) / 16 * 16;
  }
  __device__ __forceinline__ MadeShared(char* memory, int layers) {
    parts = reinterpret_cast<T*>(memory);
    done = reinterpret_cast<int*>(parts + lane_warps * lane_pitch);
    values = reinterpret_cast<T*>(memory + bytes(layers));
  }
};

template <class T>
__device__ __forceinline__ T log_scale_any(ScaleMap map, T raw, T bound) {
  switch (map) {
    case ScaleMap::none: return raw;
    case ScaleMap::tanh: return log_scale<ScaleMap::tanh>(raw, bound, T(1) / bound);
    case ScaleMap::soft_clamp: return log_scale<ScaleMap::soft_clamp>(raw, bound, T(1) / bound);
    case ScaleMap::additive: return T(0);
    case ScaleMap::gate: return log_scale<ScaleMap::gate>(raw, bound, T(0));
  }
  return raw;
}
template <class T>
__device__ __forceinline__ T log_scale_slope_any(ScaleMap map, T raw, T a, T bound) {
  switch (map) {
    case ScaleMap::none: return T(1);
    case ScaleMap::tanh: return log_scale_slope<ScaleMap::tanh>(raw, a, T(1) / bound);
    case ScaleMap::soft_clamp: return log_scale_slope<ScaleMap::soft_clamp>(raw, a, T(1) / bound);
    case ScaleMap::additive: return T(0);
    case ScaleMap::gate: return log_scale_slope<ScaleMap::gate>(raw, a, T(0));
  }
  return T(1);
}

/** Runs launch(in_shared, grid, bytes, values): values are null where they fit shared memory. */
template <class T, class Launch>
bool launch_made(const Call& call, const MadeNetwork<T>& net, const Launch& launch) {
  const int64_t tiles = ceil_div(net.samples, block_lanes);
  const size_t own = MadeShared<T>::bytes(net.layers), values = static_cast<size_t>(net.rows) * lane_pitch * sizeof(T);
  if (own + values <= shared_bytes()) {
    launch(true, static_cast<unsigned>(min_of(tiles, 1 << 20)), own + values, static_cast<T*>(nullptr));
    return launched(call);
  }
  const int64_t blocks = min_of(tiles, 4 * int64_t{multiprocessors()});
  T* memory = static_cast<T*>(workspace(static_cast<size_t>(blocks) * values));
  if (!memory) return call.fail("the GPU has no memory for the values of %lld units", ll(net.rows));
  launch(false, static_cast<unsigned>(blocks), own, memory);
  return launched(call);
}

}  // namespace flow::cuda
