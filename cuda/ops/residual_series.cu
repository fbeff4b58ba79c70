// residual_series: the power series of log det(I + J) with probes v, and the vector of its Neumann gradient. J is the Jacobian of a
// network by its layers, J = A_L S_L ⋯ A_1 S_1, A a linear map or convolution, S the diagonal slopes before it:
//   w_k = (Jᵀ)ᵏ v      series[n] = Σ_k (−1)^(k−1) q_k/k · w_kᵀv      weighted = Σ_k (−1)^(k−1) q_k w_(k−1),      k = 1, 2, …
// over the rows of sample n. The terms behind the last q that is not 0 are not computed; a sample is left alone where its q_k is 0: its w
// may have overflowed while others went on, and 0·∞ is NaN.
//
// in: v, q float64 [1 or N, K], then (weight, slopes before it or absent) a layer; out: weighted (perhaps absent), series [N] float64;
// attributes: positions of a sample, then for each layer the number of live taps, 0 for a linear map, and behind it, for a
// convolution, what native/ops/conv2d_operands.h lists.
//
// Floor: 2·rows·Σ weights operations a term; v, the slopes and the results once. Linear maps of tables: one launch, a block takes 32 samples
// (core/lanes.h) through all terms, and knows itself when it is done. Images: a launch a layer and one a term. How many terms there are
// lies on the device: the launches of those that are not there find it, multiply nothing and fill with zeros what nobody reads.
#include "cuda/core/conv.h"
#include "cuda/core/lanes.h"
#include "cuda/core/samples.h"
#include "cuda/core/shared.h"
#include "ops/residual_series_operands.h"

namespace flow::cuda {
namespace {

/** q, and which of its numbers count. */
struct Chances {
  const double* q;
  int64_t step;  // from sample to sample; 0: one row for all
  int64_t terms;

  __device__ __forceinline__ double of(int64_t sample, int64_t term) const { return q[sample * step + term - 1]; }
  /** Terms of a sample up to the last that counts. */
  __device__ __forceinline__ int last(int64_t sample) const {
    int64_t count = terms;
    while (count > 0 && q[sample * step + count - 1] == 0) --count;
    return static_cast<int>(count);
  }
  __device__ __forceinline__ static double sign(int64_t term) { return term % 2 == 1 ? 1 : -1; }
};

// --- Linear maps of tables ---

template <class T>
struct SeriesLayer {
  const T* weight;
  const T* slopes;
  int64_t slopes_ld;
  int ld, units, inputs;
  bool wide;  // four columns of the weight are moved at once
};
template <class T>
struct LinearSeries {
  SeriesLayer<T> layer[max_layers];
  int layers, columns, widest;
  int64_t samples;
  bool weighted;

  /** Rows of numbers: w twice, v, and what is weighted. */
  int rows() const { return 2 * widest + columns * (weighted ? 2 : 1); }
};

constexpr int quad = 4;
/** What warps share of their sums: [warps][quad][pitch]. */
template <class T>
constexpr size_t quad_bytes = size_t{lane_warps} * quad * lane_pitch * sizeof(T);

/** to[i] = slope_i·Σ_u W[u, i]·from[u], for 32 samples. A warp makes four columns i; several share them where there are few. All threads come. */
template <class T>
__device__ __forceinline__ void send_back(const SeriesLayer<T>& layer, int64_t sample, const T* from, T* to, T* shared) {
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  const int quads = (layer.inputs + quad - 1) / quad;
  int parts = 1;
  while (parts * 2 * quads <= lane_warps) parts *= 2;
  const int part = warp % parts;
  for (int base = 0; base < quads; base += lane_warps / parts) {
    const int i = (base + warp / parts) * quad;
    const int live = layer.inputs - i < quad ? layer.inputs - i : quad;
    T sum[quad] = {};
    if (live > 0) {
      const int end = part_start(0, layer.units, part + 1, parts);
      for (int u = part_start(0, layer.units, part, parts); u < end; ++u) {
        const T* w = layer.weight + static_cast<int64_t>(u) * layer.ld + i;
        const T value = from[u * lane_pitch + lane];
        T some[quad];
        if (layer.wide && live == quad) {
          load<quad>(some, w);
        } else {
#pragma unroll
          for (int c = 0; c < quad; ++c) some[c] = c < live ? w[c] : T(0);
        }
#pragma unroll
        for (int c = 0; c < quad; ++c) sum[c] += some[c] * value;
      }
    }
    if (parts > 1) {
#pragma unroll
      for (int c = 0; c < quad; ++c) shared[(warp * quad + c) * lane_pitch + lane] = sum[c];
      __syncthreads();
      for (int p = 1; part == 0 && p < parts; ++p) {
#pragma unroll
        for (int c = 0; c < quad; ++c) sum[c] += shared[((warp + p) * quad + c) * lane_pitch + lane];
      }
      __syncthreads();
    }
    if (part != 0) continue;
#pragma unroll
    for (int c = 0; c < quad; ++c)
      if (c < live) to[(i + c) * lane_pitch + lane] = layer.slopes ? sum[c] * layer.slopes[sample * layer.slopes_ld + i + c] : sum[c];
  }
}

template <class T, bool in_shared>
__global__ void __launch_bounds__(block_threads, 2)
    sum_series(LinearSeries<T> net, Chances chances, Matrix<const T> v_in, Matrix<T> weighted_out, Vector<double> series, int rows, T* slabs) {
  FLOW_SHARED(memory);
  T* const shared = reinterpret_cast<T*>(memory);
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  T* const values = in_shared ? shared + quad_bytes<T> / sizeof(T) : slabs + static_cast<int64_t>(blockIdx.x) * rows * lane_pitch;
  T* const v = values + 2 * net.widest * lane_pitch;
  T* const weighted = v + net.columns * lane_pitch;
  for (int64_t tile = blockIdx.x; tile * block_lanes < net.samples; tile += gridDim.x) {
    const int64_t first = tile * block_lanes;
    const int live = net.samples - first < block_lanes ? static_cast<int>(net.samples - first) : block_lanes;
    const int64_t sample = first + (lane < live ? lane : 0);
    __syncthreads();
    load_samples(v_in, first, live, net.columns, v);
    for (int e = static_cast<int>(threadIdx.x); net.weighted && e < net.columns * lane_pitch; e += block_threads) weighted[e] = T(0);
    __syncthreads();
    // Every warp counts the terms of all samples.
    const int terms = warp_fold(chances.last(sample), Most{});
    double sum = 0;  // of warp 0
    const T* w = v;
    int turn = 0;
    for (int term = 1; term <= terms; ++term) {
      const double q = chances.of(sample, term), signed_q = Chances::sign(term) * q;
      if (net.weighted && q != 0)
        for (int c = warp; c < net.columns; c += lane_warps) weighted[c * lane_pitch + lane] += static_cast<T>(signed_q) * w[c * lane_pitch + lane];
      for (int l = net.layers - 1; l >= 0; --l, turn ^= 1) {
        T* const to = values + turn * net.widest * lane_pitch;
        send_back(net.layer[l], sample, w, to, shared);
        __syncthreads();
        w = to;
      }
      if (warp == 0 && q != 0) {
        double trace = 0;
        for (int c = 0; c < net.columns; ++c) trace += static_cast<double>(w[c * lane_pitch + lane] * v[c * lane_pitch + lane]);
        sum += signed_q / term * trace;
      }
    }
    if (warp == 0 && lane < live) *series.at(first + lane) = sum;
    __syncthreads();
    if (net.weighted) store_samples(weighted_out, first, live, net.columns, weighted);
  }
}

template <class T>
bool run_linear(const Call& call, const LinearSeries<T>& net, const Chances& chances, const Operand& v, const Operand& weighted) {
  const int64_t tiles = ceil_div(net.samples, block_lanes);
  const size_t values = static_cast<size_t>(net.rows()) * lane_pitch * sizeof(T);
  const auto launch = [&](auto kernel, int64_t blocks, size_t bytes, T* slabs) {
    allow_shared(kernel);
    FLOW_LAUNCH(kernel, static_cast<unsigned>(blocks), block_threads, bytes, net, chances, matrix<const T>(v), matrix<T>(weighted),
                vector<double>(call.out[1]), net.rows(), slabs);
    return launched(call);
  };
  if (quad_bytes<T> + values <= shared_bytes())
    return launch(sum_series<T, true>, min_of(tiles, 1 << 20), quad_bytes<T> + values, nullptr);
  const int64_t blocks = min_of(tiles, 4 * int64_t{multiprocessors()});
  T* slabs = static_cast<T*>(workspace(static_cast<size_t>(blocks) * values));
  if (!slabs) return call.fail("the GPU has no memory for the values of %lld samples", ll(blocks * block_lanes));
  return launch(sum_series<T, false>, blocks, quad_bytes<T>, slabs);
}

// --- Images ---

/** terms ← the most that a sample has. */
__global__ void __launch_bounds__(block_threads) count_terms(Chances chances, int64_t samples, int* terms) {
  FLOW_SHARED(memory);
  int most = 0;
  for (int64_t n = threadIdx.x; n < samples; n += block_threads) most = Most{}(most, chances.last(n));
  most = block_fold(most, Most{}, reinterpret_cast<int*>(memory));
  if (threadIdx.x == 0) *terms = most;
}

/** All of k, or nothing behind the last term. */
struct TermDepth {
  const int* terms;
  int term;
  int64_t k;
  __device__ __forceinline__ Span operator()(int64_t, int64_t, int64_t, void*) const { return {0, term <= *terms ? k : 0}; }
};

/** Values times the slopes of their row, if there are any. */
template <class T>
struct SlopesOut {
  Epilogue<T> own;
  const T* slopes;
  int64_t ld;
  __device__ __forceinline__ void operator()(int64_t batch, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (slopes && c < live) v[c] *= slopes[i * ld + j + c];
    own(batch, i, j, live, v);
  }
};

/** What w_term gives to both results; w_0 = v begins them. A block a sample. */
template <class T>
__global__ void __launch_bounds__(block_threads, 2)
    add_term(Chances chances, int term, Matrix<const T> v, Matrix<const T> w, Matrix<T> weighted, Vector<double> series, int64_t samples,
             int64_t positions, int64_t columns) {
  FLOW_SHARED(memory);
  const int64_t numbers = positions * columns;
  for (int64_t n = blockIdx.x; n < samples; n += gridDim.x) {
    const double q = term == 0 ? 0 : chances.of(n, term), next = term < chances.terms ? chances.of(n, term + 1) : 0;
    const T factor = static_cast<T>(Chances::sign(term + 1) * next);
    double sum = 0;
    for (int64_t e = threadIdx.x; e < numbers; e += block_threads) {
      const int64_t r = n * positions + e / columns, c = e % columns;
      if (q != 0) sum += static_cast<double>(*w.at(r, c) * *v.at(r, c));
      if (!weighted.p) continue;
      if (next != 0) *weighted.at(r, c) = (term == 0 ? T(0) : *weighted.at(r, c)) + factor * *w.at(r, c);
      else if (term == 0) *weighted.at(r, c) = T(0);
    }
    sum = block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
    if (threadIdx.x != 0) continue;
    if (term == 0) *series.at(n) = 0;
    else if (q != 0) *series.at(n) += Chances::sign(term) * q / term * sum;
  }
}

using ImageLayer = ResidualLayer<ConvShape>;

template <class T>
bool run_images(const Call& call, const ImageLayer* layers, int64_t count, const Chances& chances, int64_t positions, int64_t widest) {
  const Operand &v = call.in[0], &weighted = call.out[0];
  const int64_t rows = v.rows, samples = rows / positions;
  size_t product_memory = 0;
  const auto shape_of = [&](const ImageLayer& layer) {
    return layer.shape.live > 0 ? grad_input_shape(layer.shape, rows) : ProductShape{rows, layer.inputs, layer.units};
  };
  for (int64_t l = 0; l < count; ++l) {
    const ProductPlan<T> plan(shape_of(layers[l]));
    product_memory = plan.bytes > product_memory ? plan.bytes : product_memory;
  }
  const int64_t ld = ceil_div(widest, 4) * 4;
  const size_t value_bytes = static_cast<size_t>(ceil_div(rows * ld, 64) * 64) * sizeof(T);
  char* memory = static_cast<char*>(workspace(256 + 2 * value_bytes + product_memory + 256));
  if (!memory) return call.fail("the GPU has no memory for the terms of %lld rows", ll(rows));
  int* const terms = reinterpret_cast<int*>(memory);
  char* const values = memory + 256;
  void* const parts = values + 2 * value_bytes;
  FLOW_LAUNCH(count_terms, 1, block_threads, fold_bytes<int>(block_threads), chances, chances.step == 0 ? 1 : samples, terms);
  Operand w = v;
  int turn = 0;
  for (int term = 0; term <= chances.terms; ++term) {
    for (int64_t l = count - 1; term > 0 && l >= 0; --l, turn ^= 1) {
      const ImageLayer& layer = layers[l];
      const Operand to{values + static_cast<size_t>(turn) * value_bytes, v.dtype, rows, layer.inputs, ld};
      Epilogue<T> plain{to.as<T>(), to.ld};
      const SlopesOut<T> out{plain.settle(), layer.slopes ? layer.slopes->as<const T>() : nullptr, layer.slopes ? layer.slopes->ld : 0};
      const ProductShape shape = shape_of(layer);
      const TermDepth range{terms, term, shape.k};
      if (layer.shape.live > 0) {
        if (!conv_grad_input<T>(call, layer.shape, w, *layer.weight, out, range, parts)) return false;
      } else if (!product<T>(call, shape, ByRows<T>{w.as<const T>(), w.ld}, ByColumns<T>{layer.weight->as<const T>(), layer.weight->ld}, range,
                             out, NoRowSums{}, parts)) {
        return false;
      }
      w = to;
    }
    FLOW_LAUNCH((add_term<T>), static_cast<unsigned>(min_of(samples, 65535)), block_threads, fold_bytes<double>(block_threads), chances, term,
                matrix<const T>(v), matrix<const T>(w), matrix<T>(weighted), vector<double>(call.out[1]), samples, positions, v.cols);
  }
  return launched(call);
}

bool residual_series(const Call& call) {
  const Operand &v = call.in[0], &q = call.in[1], &weighted = call.out[0];
  ResidualLayers<ConvShape> s{};
  const auto read = [&](ImageLayer& layer, int at, int64_t live) {
    return read_conv(call, at, live, s.rows, layer.units, layer.weight->cols, layer.shape);
  };
  if (!read_residual_series(call, s, read)) return false;
  FLOW_CHECK(call, q.cols < (1 << 20), "q: expected fewer terms, got %lld", ll(q.cols));
  const int64_t count = s.layers, rows = s.rows, samples = s.samples, widest = s.widest;
  const ImageLayer* const layers = s.layer;
  if (rows == 0) return true;
  return with_float(call, v, "v", [&](auto zero) {
    using T = decltype(zero);
    const Chances chances{q.as<const double>(), q.rows == 1 ? 0 : q.ld, q.cols};
    if (s.images) return run_images<T>(call, layers, count, chances, s.positions, widest);
    FLOW_CHECK(call, widest < (1 << 24), "layers: they are too wide for a block");
    for (int64_t l = 0; l < count; ++l) FLOW_CHECK(call, layers[l].weight->ld < (1 << 30), "layer %lld: it is too large", ll(l));
    LinearSeries<T> net{};
    for (int64_t l = 0; l < count; ++l) {
      const Operand &weight = *layers[l].weight, *slopes = layers[l].slopes;
      net.layer[l] = {weight.as<const T>(), slopes ? slopes->as<const T>() : nullptr, slopes ? slopes->ld : 0, static_cast<int>(weight.ld),
                      static_cast<int>(layers[l].units), static_cast<int>(layers[l].inputs),
                      reinterpret_cast<uintptr_t>(weight.data) % (quad * sizeof(T)) == 0 && weight.ld % quad == 0};
    }
    net.layers = static_cast<int>(count), net.columns = static_cast<int>(v.cols), net.widest = static_cast<int>(widest);
    net.samples = samples, net.weighted = !weighted.absent();
    return run_linear<T>(call, net, chances, v, weighted);
  });
}

}  // namespace

FLOW_DEFINE_OP(residual_series) = {"residual_series", residual_series, 4, 2 + 2 * max_layers, 2, -1};

}  // namespace flow::cuda
