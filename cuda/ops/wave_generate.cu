// wave_generate: a WaveNet sample after sample. Each layer keeps what it read in a queue as long as its dilation, so that a sample
// costs each layer once.
//
// in: noise [N, T·k], condition [N·T, C] or absent, input weight and bias, weight and bias of the hidden and of the last layer
// behind the skips, the beginning [N, T₀ ≤ T] of the sequences or absent, then W, b, Wo, bo of each layer as wave_stack takes them;
// out: x [N, T], the beginning included. Attributes: kind, levels L, least logarithm of a scale, T, then the dilation of each layer;
// native/ops/wave_generate.cc says what the kinds are. A level of the beginning that is none makes what is read of it NaN.
//
// Floor: the steps depend on each other: their number times two barriers a layer, and the weights once a step and block from L2. One launch
// for all of it (and one for a table of the layers): a block takes one sequence, or four where there are more than multiprocessors, from
// the first sample to the last; activations stay in shared memory, and the queues where they fit.
#include "cuda/core/shared.h"
#include "cuda/core/units.h"
#include "cuda/core/upload.h"
#include "cuda/core/wave.h"
#include "cuda/ops/discrete.h"
#include "ops/wave_generate_operands.h"
// The formulas come after the functions that they call.
#include "math/gated_activation.h"

namespace flow::cuda {
namespace {

constexpr int first_layer = generator_first_layer;

template <class T>
struct GeneratorLayer {
  const T *w, *b, *wo, *bo;
  int64_t w_ld, wo_ld;
  int64_t dilation;
  int64_t queue;  // where it begins, in numbers of a sequence
};

template <class T>
struct Generator {
  int64_t samples, length, levels, start;  // start: samples that are given
  int kind, layers, channels, gated, skips, condition_columns, hidden, outputs;
  LogisticMixture mixture;
  T least;
  Matrix<const T> noise, condition, input, given;
  const T *input_bias, *hidden_bias, *last_bias;
  Matrix<const T> hidden_weight, last_weight;
  const GeneratorLayer<T>* layer;
  Matrix<T> x;
  int64_t queue_numbers;  // of a sequence

  __host__ __device__ int64_t activations() const { return int64_t{channels} + gated + skips + hidden + outputs + 1; }
};

template <class T, int Q, bool in_shared>
__global__ void __launch_bounds__(block_threads, 1) generate(Generator<T> net, T* slabs, int64_t slab, T* queues) {
  FLOW_SHARED(memory);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / warp_threads;
  const int R = net.channels, G = net.gated, S = net.skips, H = net.hidden, C = net.condition_columns;
  T* const own = in_shared ? reinterpret_cast<T*>(memory) : slabs + static_cast<int64_t>(blockIdx.x) * slab;
  T *const h = own, *const g = h + Q * R, *const skip = g + Q * G, *const middle = skip + Q * S, *const out = middle + Q * H;
  T *const previous = out + Q * net.outputs;
  // Of a layer: [dilation][Q][R]. Null: behind the activations.
  T* const queue = queues ? queues + static_cast<int64_t>(blockIdx.x) * Q * net.queue_numbers : previous + Q;
  for (int64_t tile = blockIdx.x; tile * Q < net.samples; tile += gridDim.x) {
    const int64_t first = tile * Q;
    const int live = net.samples - first < Q ? static_cast<int>(net.samples - first) : Q;
    // Rows without a sequence of their own go along with the first.
    const auto sequence = [&](int q) { return first + (q < live ? q : 0); };
    __syncthreads();
    for (int64_t i = thread; i < Q * net.queue_numbers; i += block_threads) queue[i] = T(0);
    if (thread < Q) previous[thread] = net.kind == 0 ? static_cast<T>(net.levels) : T(0);
    __syncthreads();
    for (int64_t t = 0; t < net.length; ++t) {
      for (int e = thread; e < Q * R; e += block_threads) {
        const int q = e / R, i = e - q * R;
        const T before = previous[q];
        if (net.kind != 0) h[e] = *net.input.at(i, 0) * before + net.input_bias[i];
        else h[e] = is_level(before, net.levels + 1) ? *net.input.at(static_cast<int64_t>(before), i) : static_cast<T>(NAN);
      }
      __syncthreads();
      for (int l = 0; l < net.layers; ++l) {
        const GeneratorLayer<T>& layer = net.layer[l];
        T* const now = queue + Q * layer.queue + t % layer.dilation * Q * R;
        for_units<T, Q, 2>(
            G,
            [&](int64_t unit, int lane, T (&sums)[2][Q]) {
#pragma unroll
              for (int k = 0; k < 2; ++k) {
                const T* w = layer.w + (k * G + unit) * layer.w_ld;
                add_products(sums[k], w, R, lane, [&](int q, int64_t i) { return now[q * R + i]; });
                add_products(sums[k], w + R, R, lane, [&](int q, int64_t i) { return h[q * R + i]; });
                if (C > 0)
                  add_products(sums[k], w + 2 * R, C, lane, [&](int q, int64_t i) { return *net.condition.at(sequence(q) * net.length + t, i); });
              }
            },
            [&](int64_t unit, int q, const T (&z)[2]) { g[q * G + unit] = gated_value(z[0] + layer.b[unit], z[1] + layer.b[G + unit]); });
        __syncthreads();
        const bool top = l + 1 == net.layers;
        for_units<T, Q, 1>(
            top ? S : S + R,
            [&](int64_t unit, int lane, T (&sums)[1][Q]) {
              add_products(sums[0], layer.wo + unit * layer.wo_ld, G, lane, [&](int q, int64_t i) { return g[q * G + i]; });
            },
            [&](int64_t unit, int q, const T (&sum)[1]) {
              const T value = sum[0] + layer.bo[unit];
              if (unit < S) {
                T& to = skip[q * S + unit];
                to = l == 0 ? value : to + value;
                return;
              }
              // What the layer read goes into its queue when it has been read.
              T& state = h[q * R + unit - S];
              now[q * R + unit - S] = state;
              state += value;
            });
        if (top)
          for (int e = thread; e < Q * R; e += block_threads) now[e] = h[e];
        __syncthreads();
      }
      for_units<T, Q, 1>(
          H,
          [&](int64_t unit, int lane, T (&sums)[1][Q]) {
            add_products(sums[0], net.hidden_weight.at(unit, 0), S, lane, [&](int q, int64_t i) { return max(T(0), skip[q * S + i]); });
          },
          [&](int64_t unit, int q, const T (&sum)[1]) { middle[q * H + unit] = max(T(0), sum[0] + net.hidden_bias[unit]); });
      __syncthreads();
      for_units<T, Q, 1>(
          net.outputs,
          [&](int64_t unit, int lane, T (&sums)[1][Q]) {
            add_products(sums[0], net.last_weight.at(unit, 0), H, lane, [&](int q, int64_t i) { return middle[q * H + i]; });
          },
          [&](int64_t unit, int q, const T (&sum)[1]) { out[q * net.outputs + unit] = sum[0] + net.last_bias[unit]; });
      __syncthreads();
      // A warp draws for a sequence.
      if (warp < live) {
        const int64_t n = first + warp;
        const T* const p = out + warp * net.outputs;
        const T* const u = net.noise.at(n, net.kind == 1 ? 2 * t : t);
        T value;
        if (t < net.start) {
          value = *net.given.at(n, t);
        } else if (net.kind == 0) {
          value = level_of<T>(warp_draw_category(p, static_cast<int>(net.levels), static_cast<double>(u[0])));
        } else if (net.kind == 1) {
          draw_logistics(net.mixture, warp_draw_category(p, static_cast<int>(net.mixture.components), static_cast<double>(u[0])), p, u + 1, &value);
        } else {
          const T log_scale = p[1] < net.least ? net.least : p[1];
          value = net.kind == 2 ? p[0] + exp(log_scale) * u[0] : (u[0] - p[0]) * exp(-log_scale);
        }
        if (thread % warp_threads == 0) {
          *net.x.at(n, t) = value;
          previous[warp] = net.kind == 1 ? value_of(net.mixture, value) : value;
        }
      }
      __syncthreads();
    }
  }
}

template <class T>
bool run(const Call& call, Generator<T> net) {
  const auto bytes_of = [&](int64_t numbers) { return static_cast<size_t>(numbers) * sizeof(T); };
  const auto fits = [&](int64_t numbers) { return bytes_of(numbers) <= shared_bytes(); };
  const int together = net.samples > 2 * int64_t{multiprocessors()} && fits(4 * net.activations()) ? 4 : 1;
  const int64_t activations = together * net.activations(), queues = together * net.queue_numbers;
  const bool in_shared = fits(activations), queues_too = fits(activations + queues);
  const int64_t tiles = ceil_div(net.samples, together), blocks = min_of(tiles, 8 * int64_t{multiprocessors()});

  const size_t table = table_bytes(static_cast<size_t>(net.layers) * sizeof(GeneratorLayer<T>));
  const int64_t own_numbers = in_shared ? 0 : ceil_div(activations, 64) * 64;
  char* memory = static_cast<char*>(
      workspace(table + bytes_of(blocks * own_numbers) + (queues_too ? 0 : bytes_of(blocks * queues))));
  if (!memory) return call.fail("the GPU has no memory for the queues of %lld sequences", ll(blocks * together));
  TableWriter layers(memory);
  int64_t at = 0;
  for (int l = 0; l < net.layers; ++l) {
    const Operand* in = call.in + first_layer + wave_weights * l;
    const int64_t dilation = min_of(call.int_attr(4 + l), net.length);
    layers.add(GeneratorLayer<T>{in[0].as<const T>(), in[1].as<const T>(), in[2].as<const T>(), in[3].as<const T>(), in[0].ld, in[2].ld,
                                 dilation, at});
    at += dilation * net.channels;
  }
  layers.finish();
  net.layer = reinterpret_cast<const GeneratorLayer<T>*>(memory);
  T* const slabs = reinterpret_cast<T*>(memory + table);
  T* const queue = queues_too ? nullptr : slabs + blocks * own_numbers;
  const size_t shared = !in_shared ? 0 : bytes_of(queues_too ? activations + queues : activations);
  const auto launch = [&](auto kernel) {
    allow_shared(kernel);
    FLOW_LAUNCH(kernel, static_cast<unsigned>(blocks), block_threads, shared, net, slabs, own_numbers, queue);
  };
  if (!in_shared) launch(generate<T, 1, false>);
  else if (together == 1) launch(generate<T, 1, true>);
  else launch(generate<T, 4, true>);
  return launched(call);
}

bool wave_generate(const Call& call) {
  WaveGenerator read{};
  if (!read_wave_generate(call, read)) return false;
  const WaveShape& v = read.shape;
  const int kind = read.kind;
  const int64_t levels = read.levels, length = read.length, outputs = read.outputs, hidden = read.hidden, channels = v.channels;
  const Operand *in = call.in, &x = call.out[0], &noise = in[0], &embedding = in[2], &given = in[8];
  int64_t queues = 0;
  for (int64_t l = 0; l < v.layers; ++l) queues += min_of(call.int_attr(4 + static_cast<int>(l)), length);
  constexpr int64_t most = 1 << 28;
  FLOW_CHECK(call, channels < most && v.gated < most && v.skips < most && v.condition < most && hidden < most && outputs < most &&
                       queues < (int64_t{1} << 40) / channels,
             "network: it is too large for one block");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    if (x.rows == 0) return true;
    Generator<T> net{};
    net.samples = x.rows, net.length = length, net.levels = levels, net.start = given.absent() ? 0 : given.cols;
    net.kind = kind, net.layers = static_cast<int>(v.layers), net.channels = static_cast<int>(channels);
    net.gated = static_cast<int>(v.gated), net.skips = static_cast<int>(v.skips), net.condition_columns = static_cast<int>(v.condition);
    net.hidden = static_cast<int>(hidden), net.outputs = static_cast<int>(outputs);
    net.mixture = {outputs / 3, 1, max_of(levels, 2), call.attr[2]};
    net.least = static_cast<T>(call.attr[2]);
    net.noise = matrix<const T>(noise), net.condition = matrix<const T>(in[1]), net.input = matrix<const T>(embedding);
    net.given = matrix<const T>(given);
    net.input_bias = in[3].as<const T>(), net.hidden_bias = in[5].as<const T>(), net.last_bias = in[7].as<const T>();
    net.hidden_weight = matrix<const T>(in[4]), net.last_weight = matrix<const T>(in[6]);
    net.x = matrix<T>(x);
    net.queue_numbers = queues * channels;
    return run<T>(call, net);
  });
}

}  // namespace

FLOW_DEFINE_OP(wave_generate) = {"wave_generate", wave_generate, first_layer + wave_weights,
                                 first_layer + wave_weights * most_wave_layers, 1, -1};

}  // namespace flow::cuda
