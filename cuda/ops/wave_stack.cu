// wave_stack: the residual layers of a WaveNet; see core/wave.h.
// in: x [sequences·length, R], condition [.., C] or absent, then W [2G, 2R + C], b [2G], Wo [S + R, G] (of the last layer
// [S, G]), bo of each layer; out: skip [.., S], then the factors [.., 2G] of each layer's gate, perhaps absent, then what the
// layers after the first read [.., R], all or none of them there; attributes: length of a sequence, then the dilation of each layer.
//
// Floor: 2·rows·(2G·(2R + C) + (S + R)·G) operations a layer; h, g, the skips and what is kept once. Two launches a layer: the rows of
// W stand in pairs (a, b) in a tile, so that tanh(a)·σ(b) is made where the products end; and Wo, whose results are added to the skips and to h.
#include "cuda/core/scalar.h"
#include "cuda/core/wave.h"
// The formulas come after the functions that they call.
#include "math/gated_activation.h"

namespace flow::cuda {
namespace {

/** Row 2u of the product is unit u of the tanh, 2u + 1 that of the σ. */
template <class T>
struct GatePairs {
  static constexpr bool deep = true;
  using Row = const T*;
  using Depth = int64_t;
  const T* weight;
  int64_t ld, gated;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const { return weight + (j % 2 * gated + j / 2) * ld; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k; }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};

/** g = tanh·σ, and the factors where they are kept. */
template <class T>
struct GateOut {
  T* g;
  const T* bias;
  T* gates;
  int64_t gates_ld, gated;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; c += 2) {
      if (c >= live) break;
      const int64_t unit = (j + c) / 2;
      const T t = tanh(v[c] + bias[unit]), s = sigmoid(v[c + 1] + bias[gated + unit]);
      g[i * gated + unit] = t * s;
      if (!gates) continue;
      gates[i * gates_ld + unit] = t;
      gates[i * gates_ld + gated + unit] = s;
    }
  }
};

/** The first S columns are added to the skips, the others to h. */
template <class T>
struct LayerOut {
  T* skip;
  int64_t skip_ld, skips;
  const T* bias;
  const T* h;
  int64_t h_ld;
  T* next;  // may be h
  int64_t next_ld;
  bool first;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      if (c >= live) break;
      const T value = v[c] + bias[j + c];
      if (j + c < skips) {
        T& to = skip[i * skip_ld + j + c];
        to = first ? value : to + value;
      } else {
        const int64_t r = j + c - skips;
        next[i * next_ld + r] = h[i * h_ld + r] + value;
      }
    }
  }
};

template <class T>
bool run(const Call& call, const WaveShape& v) {
  const Operand &x = call.in[0], &condition = call.in[1], &skip = call.out[0];
  const int64_t R = v.channels, G = v.gated;
  const ProductShape gate_shape{v.rows, 2 * G, v.inputs()};
  size_t product_memory = ProductPlan<T>(gate_shape).bytes;
  for (int64_t outputs : {v.outputs(0), v.skips}) {
    const size_t bytes = ProductPlan<T>(ProductShape{v.rows, outputs, G}).bytes;
    product_memory = bytes > product_memory ? bytes : product_memory;
  }
  // g, and h where it is not kept: a layer reads the rows of others in its first launch only, so that the second writes over them.
  const bool keeps_h = v.layers == 1 || !call.out[v.layers + 1].absent();
  const size_t g_bytes = static_cast<size_t>(ceil_div(v.rows * G, 64) * 64) * sizeof(T);
  const size_t h_bytes = keeps_h ? 0 : static_cast<size_t>(ceil_div(v.rows * R, 64) * 64) * sizeof(T);
  char* memory = static_cast<char*>(workspace(g_bytes + h_bytes + product_memory + 256));
  if (!memory) return call.fail("the GPU has no memory for the gates of %lld rows", ll(v.rows));
  T* const g = reinterpret_cast<T*>(memory);
  const Operand own_h{memory + g_bytes, x.dtype, v.rows, R, R};
  void* const parts = memory + g_bytes + h_bytes;

  Operand h = x;
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand *in = call.in + 2 + wave_weights * l, &gates = call.out[1 + l];
    const bool top = l + 1 == v.layers;
    const int64_t dilation = min_of(call.int_attr(1 + static_cast<int>(l)), v.length);
    if (!product<T>(call, gate_shape, WaveRows<T>{WaveInputs<T>(v, h, condition, dilation)}, GatePairs<T>{in[0].as<const T>(), in[0].ld, G},
                    WholeDepth{gate_shape.k}, GateOut<T>{g, in[1].as<const T>(), gates.as<T>(), gates.ld, G}, NoRowSums{}, parts))
      return false;
    const Operand next = top ? h : keeps_h ? call.out[v.layers + 1 + l] : own_h;
    const ProductShape shape{v.rows, v.outputs(l), G};
    const LayerOut<T> out{skip.as<T>(), skip.ld, v.skips, in[3].as<const T>(), h.as<const T>(), h.ld, next.as<T>(), next.ld, l == 0};
    if (!product<T>(call, shape, ByRows<T>{g, G}, ByRows<T>{in[2].as<const T>(), in[2].ld}, WholeDepth{G}, out, NoRowSums{}, parts))
      return false;
    h = next;
  }
  return launched(call);
}

bool wave_stack(const Call& call) {
  WaveShape v{};
  if (!read_wave_stack(call, v)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) {
    if (v.rows == 0) return true;
    return run<decltype(zero)>(call, v);
  });
}

}  // namespace

FLOW_DEFINE_OP(wave_stack) = {"wave_stack", wave_stack, 6, 2 + wave_weights * most_wave_layers, -1, -1};

}  // namespace flow::cuda
