// wave_stack_grad: the gradients of wave_stack by all that it takes.
// in: dL_dskip, x, condition or absent, then W, Wo, gates and h (what the layer reads; absent for the first, which reads x) of each
// layer; out, each perhaps absent: dL_dx, dL_dcondition, then dL_dW, dL_db, dL_dWo, dL_dbo of each layer; attributes: core/wave.h.
//
// Floor: that of each layer's products, twice the forward pass; each operand once. A layer, from the last to the first, takes up to
// five launches: what reaches z (the gate's derivative where the products end), both weights with their biases beside them, the condition, and h.
// Nothing below the last layer that anyone asks for is walked.
#include "cuda/core/wave.h"

namespace flow::cuda {
namespace {

/** [dL_dskip | dL_dh] of row p: what reaches the outputs behind the gate. */
template <class T>
struct OutputGradients {
  static constexpr bool deep = true;
  struct Row {
    const T* skip;
    const T* h;
  };
  using Depth = int64_t;
  const T* skip;
  int64_t skip_ld;
  const T* h;
  int64_t h_ld, skips;
  __device__ __forceinline__ Row row(int64_t, int64_t p) const { return {skip + p * skip_ld, h + p * h_ld}; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k; }
  __device__ __forceinline__ T load(const Row& row, Depth k) const { return k < skips ? row.skip[k] : row.h[k - skips]; }
};
template <class T>
struct OutputGradientColumns {
  static constexpr bool deep = false;
  using Row = int64_t;
  using Depth = typename OutputGradients<T>::Row;
  OutputGradients<T> own;
  __device__ __forceinline__ Row row(int64_t, int64_t i) const { return i; }
  __device__ __forceinline__ Depth depth(int64_t p) const { return own.row(0, p); }
  __device__ __forceinline__ T load(Row i, const Depth& depth) const { return own.load(depth, i); }
};

/** Column u of g = tanh·σ, over rows. */
template <class T>
struct GateColumns {
  static constexpr bool deep = false;
  using Row = int64_t;
  using Depth = const T*;
  const T* gates;
  int64_t ld, gated;
  __device__ __forceinline__ Row row(int64_t, int64_t u) const { return u; }
  __device__ __forceinline__ Depth depth(int64_t p) const { return gates + p * ld; }
  __device__ __forceinline__ T load(Row u, Depth p) const { return p[u] * p[gated + u]; }
};

/** dz of dg and the factors of the gate. */
template <class T>
struct UngateOut {
  T* dz;
  const T* gates;
  int64_t gates_ld, gated;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      if (c >= live) break;
      const T* own = gates + i * gates_ld + j + c;
      const T t = own[0], s = own[gated], by_t = v[c] * s;
      T* to = dz + i * 2 * gated + j + c;
      to[0] = by_t * (T(1) - t * t);
      to[gated] = by_t * t * (T(1) - s);
    }
  }
};

/** [dz(p + d) | dz(p)]: what a row of h has gone into. */
template <class T>
struct ReaderGradients {
  static constexpr bool deep = true;
  struct Row {
    const T* dz;
    bool has_after;
  };
  struct Depth {
    int64_t offset;
    bool after;
  };
  const T* dz;
  int64_t width, length, dilation;  // width: 2G
  Divisor by_length;
  __device__ __forceinline__ Row row(int64_t, int64_t p) const {
    int64_t in_sequence = p;
    by_length.split(in_sequence);
    return {dz + p * width, dilation < length - in_sequence};
  }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    return k < width ? Depth{k + dilation * width, true} : Depth{k - width, false};
  }
  __device__ __forceinline__ T load(const Row& row, const Depth& d) const { return !d.after || row.has_after ? row.dz[d.offset] : T(0); }
};
/** Their weights: of input j, those of h(p − d), then those of h(p). */
template <class T>
struct ReaderWeights {
  static constexpr bool deep = false;
  using Row = int64_t;
  using Depth = const T*;
  const T* weight;
  int64_t ld, width, channels;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const { return j; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k < width ? weight + k * ld : weight + (k - width) * ld + channels; }
  __device__ __forceinline__ T load(Row j, Depth p) const { return p[j]; }
};

template <class T>
bool run(const Call& call, const WaveShape& v) {
  const Operand &dL_dskip = call.in[0], &x = call.in[1], &condition = call.in[2], &dL_dx = call.out[0], &dL_dc = call.out[1];
  const int64_t R = v.channels, G = v.gated, S = v.skips, C = v.condition, rows = v.rows;
  const auto outputs_of = [&](int64_t l) { return call.out + 2 + wave_weights * l; };
  int64_t lowest = 0;
  if (dL_dx.absent() && dL_dc.absent()) {
    const auto wanted = [&](int64_t l) {
      for (int i = 0; i < wave_weights; ++i)
        if (!outputs_of(l)[i].absent()) return true;
      return false;
    };
    while (lowest < v.layers && !wanted(lowest)) ++lowest;
    if (lowest == v.layers) return true;
  }
  const ProductShape w_shape{2 * G, v.inputs(), rows}, h_shape{rows, R, 4 * G}, c_shape{rows, C, 2 * G};
  const auto wo_shape = [&](int64_t l) { return ProductShape{v.outputs(l), G, rows}; };
  const auto z_shape = [&](int64_t l) { return ProductShape{rows, G, v.outputs(l)}; };
  size_t product_memory = 0;
  const auto need = [&](const ProductPlan<T>& plan) { product_memory = plan.bytes > product_memory ? plan.bytes : product_memory; };
  need(ProductPlan<T>(w_shape, true)), need(ProductPlan<T>(h_shape)), need(ProductPlan<T>(c_shape));
  for (int64_t l : {int64_t{0}, v.layers - 1}) need(ProductPlan<T>(wo_shape(l), true)), need(ProductPlan<T>(z_shape(l)));
  const size_t z_bytes = static_cast<size_t>(ceil_div(rows * 2 * G, 64) * 64) * sizeof(T);
  const size_t h_bytes = static_cast<size_t>(ceil_div(rows * R, 64) * 64) * sizeof(T);
  char* memory = static_cast<char*>(workspace(z_bytes + h_bytes + product_memory + 256));
  if (!memory) return call.fail("the GPU has no memory for the gradients of %lld rows", ll(rows));
  const Operand dz{memory, x.dtype, rows, 2 * G, 2 * G}, own_dh{memory + z_bytes, x.dtype, rows, R, R};
  void* const parts = memory + z_bytes + h_bytes;

  for (int64_t l = v.layers - 1; l >= lowest; --l) {
    const Operand *in = call.in + 3 + wave_kept * l, *out = outputs_of(l);
    const Operand &W = in[0], &Wo = in[1], &gates = in[2], &h = l == 0 ? x : in[3];
    const bool top = l + 1 == v.layers;
    const int64_t dilation = min_of(call.int_attr(1 + static_cast<int>(l)), v.length);
    const OutputGradients<T> d_out{dL_dskip.as<const T>(), dL_dskip.ld, own_dh.as<const T>(), R, S};
    if (!product<T>(call, z_shape(l), d_out, ByColumns<T>{Wo.as<const T>(), Wo.ld}, WholeDepth{v.outputs(l)},
                    UngateOut<T>{dz.as<T>(), gates.as<const T>(), gates.ld, G}, NoRowSums{}, parts))
      return false;
    if (!out[0].absent()) {
      if (!weight_product<T>(call, w_shape, ByColumns<T>{dz.as<const T>(), dz.ld}, WaveColumns<T>{WaveInputs<T>(v, h, condition, dilation)},
                             WholeDepth{w_shape.k}, out[0], out[1].as<T>(), parts))
        return false;
    } else if (!out[1].absent() && !column_sums<T>(call, dz, w_shape, out[1].as<T>())) {
      return false;
    }
    if (!out[2].absent()) {
      if (!weight_product<T>(call, wo_shape(l), OutputGradientColumns<T>{d_out}, GateColumns<T>{gates.as<const T>(), gates.ld, G},
                             WholeDepth{rows}, out[2], out[3].as<T>(), parts))
        return false;
    } else if (!out[3].absent()) {
      if (!column_sums<T>(call, dL_dskip, wo_shape(l), out[3].as<T>())) return false;
      if (!top && !column_sums<T>(call, own_dh, wo_shape(l), out[3].as<T>() + S)) return false;
    }
    if (!dL_dc.absent()) {
      Epilogue<T> to{dL_dc.as<T>(), dL_dc.ld};
      if (!top) to.addend = dL_dc.as<const T>(), to.addend_ld = dL_dc.ld;
      if (!product<T>(call, c_shape, ByRows<T>{dz.as<const T>(), dz.ld}, ByColumns<T>{W.as<const T>() + 2 * R, W.ld}, WholeDepth{2 * G},
                      to.settle(), NoRowSums{}, parts))
        return false;
    }
    if (l == 0 ? dL_dx.absent() : l == lowest) break;
    // What goes to h, and what came through beside the layer.
    const Operand& target = l == 0 ? dL_dx : own_dh;
    Epilogue<T> to{target.as<T>(), target.ld};
    if (!top) to.addend = own_dh.as<const T>(), to.addend_ld = own_dh.ld;
    if (!product<T>(call, h_shape, ReaderGradients<T>{dz.as<const T>(), 2 * G, v.length, dilation, Divisor(v.length)},
                    ReaderWeights<T>{W.as<const T>(), W.ld, 2 * G, R}, WholeDepth{4 * G}, to.settle(), NoRowSums{}, parts))
      return false;
  }
  return launched(call);
}

bool wave_stack_grad(const Call& call) {
  WaveShape v{};
  if (!read_wave_stack_grad(call, v)) return false;
  return with_float(call, call.in[1], "x", [&](auto zero) { return run<decltype(zero)>(call, v); });
}

}  // namespace

FLOW_DEFINE_OP(wave_stack_grad) = {"wave_stack_grad", wave_stack_grad, 7, 3 + wave_kept * most_wave_layers, -1, -1};

}  // namespace flow::cuda
