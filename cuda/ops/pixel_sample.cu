// pixel_sample: draws images from an autoregressive network pixel by pixel; each activation is computed once.
//
// The network is a graph of maps (lib/models/pixelGraph.ts). Map 0 is the image as the network sees it, node k makes map k + 1.
// Nodes of phase 0 (pixel) are computed when the pixels before are known, colour group by colour group; those of phase 1 (row)
// for a whole row when the rows above are known; those of phase 2 (above) for the row above, before a row is begun. Of a map so
// many rows are kept as its readers reach back.
//
// in: uniform [N·P, U], values [1, levels] (what the network sees for each level), then two operands a node: weight and bias of a
// convolution, the weight of an LSTM, what a context gives [N, channels], or absent. out: levels [N·P, C].
// Attributes: height, width, groups, output (0 categorical, 1 mixture, 2 Bernoulli), levels, least log-scale, number of nodes;
// then for each node: kind, phase, input, addend or −1, channels, parts, two numbers (conv: activation and its parameter; lstm:
// the step to the cell before), live taps, and place, dy, dx of each.
//
// Floor: the pixels, and the nodes of each, depend on each other: their number times a barrier, and the weights once a pixel and block from
// L2. One launch for all of it (and some for the table of the graph): a block takes one image, or four where there are more than
// multiprocessors, from the first pixel to the last. Maps stand in the workspace, [row][column][image][channels], and are met in the caches.
#include "cuda/core/linear.h"
#include "cuda/core/units.h"
#include "cuda/core/upload.h"
#include "cuda/ops/discrete.h"
// The formulas come after the functions that they call.
#include "math/gated_activation.h"
#include "math/lstm_cell.h"
#include "ops/pixel_graph.h"

namespace flow::cuda {
namespace {

/** The table of a graph in the memory of the device: maps, then nodes, then taps. */
template <class T>
struct PixelMap {
  int64_t start, cells;  // where its rows stand in the memory of a block, and those of an LSTM's cells
  int64_t channels, rows;
  const T* context;  // [N, channels], alike at all pixels; else null
  int64_t context_ld;
};
template <class T>
struct PixelNode {
  NodeKind kind;
  int phase, input, addend;
  int64_t channels, parts;
  const T *weight, *bias;
  int64_t weight_ld;
  T act_param;
  Activation act;
  int64_t cell_dy, cell_dx;
  int64_t taps, first_tap;
};
struct PixelTap {
  int32_t place, dy, dx, unused;
};

template <class T>
struct Sampler {
  int64_t height, width, groups, channels, images, levels;
  int output, count;
  LogisticMixture mixture;
  const PixelMap<T>* map;
  const PixelNode<T>* node;
  const PixelTap* tap;
  int64_t block_numbers;  // of the maps of a block
  Matrix<const T> uniform;
  const T* values;
  Matrix<T> out;
};

/** The columns of a map that colour group g has, of each of its parts; all of them for g < 0. */
struct Piece {
  int64_t part, own, from, count;

  __device__ __forceinline__ Piece(int64_t channels, int64_t parts, int64_t groups, int64_t g) {
    const bool whole = g < 0 || groups == 1;
    part = whole ? channels : channels / parts;
    own = whole ? channels : part / groups;
    from = whole ? 0 : g * own;
    count = whole ? channels : parts * own;
  }
  __device__ __forceinline__ int64_t column(int64_t unit) const { return unit / own * part + from + unit % own; }
};

template <class T, int Q>
struct Painter {
  const Sampler<T>& s;
  T* memory;
  int64_t first;  // image
  int live;

  /** All images of the block at one pixel; `step` from one to the next. */
  struct Pixels {
    T* p;
    int64_t step;
    int live;
    __device__ __forceinline__ T* of(int q) const { return p + (q < live ? q : 0) * step; }
  };
  __device__ __forceinline__ Pixels at(int m, int64_t r, int64_t c) const {
    const PixelMap<T>& map = s.map[m];
    // Read alone.
    if (map.context) return {const_cast<T*>(map.context) + first * map.context_ld, map.context_ld, live};
    return {memory + map.start + (r % map.rows * s.width + c) * Q * map.channels, map.channels, live};
  }
  __device__ __forceinline__ T* cell(int m, int64_t r, int64_t c) const {
    const PixelMap<T>& map = s.map[m];
    return memory + map.cells + (r % map.rows * s.width + c) * Q * map.channels;
  }

  /** sums += a lane's share of unit `row` of the weight and what its taps read around (r, c); zeros outside and above row `top`. */
  template <int K>
  __device__ __forceinline__ void add_taps(const PixelNode<T>& node, int m, int64_t r, int64_t c, int64_t top, int64_t row, int64_t row_step,
                                           int lane, T (&sums)[K][Q]) const {
    const int64_t inputs = s.map[m].channels;
    for (int64_t t = 0; t < node.taps; ++t) {
      const PixelTap tap = s.tap[node.first_tap + t];
      const int64_t rr = r + tap.dy, cc = c + tap.dx;
      if (rr < top || cc < 0 || cc >= s.width) continue;
      const Pixels from = at(m, rr, cc);
#pragma unroll
      for (int k = 0; k < K; ++k)
        add_products(sums[k], node.weight + (row + k * row_step) * node.weight_ld + tap.place * inputs, inputs, lane,
                     [&](int q, int64_t i) { return from.of(q)[i]; });
    }
  }

  __device__ __forceinline__ void conv(int k, const PixelNode<T>& node, int64_t r, int64_t c, int64_t columns, int64_t g) const {
    const Piece piece(node.channels, node.parts, s.groups, node.phase == 0 ? g : -1);
    for_units<T, Q, 1>(
        columns * piece.count,
        [&](int64_t unit, int lane, T (&sums)[1][Q]) {
          add_taps(node, node.input, r, c + unit / piece.count, 0, piece.column(unit % piece.count), 0, lane, sums);
        },
        [&](int64_t unit, int q, const T (&sum)[1]) {
          if (q >= live) return;
          const int64_t o = piece.column(unit % piece.count), column = c + unit / piece.count;
          T z = sum[0];
          if (node.addend >= 0) z += at(node.addend, r, column).of(q)[o];
          if (node.bias) z += node.bias[o];
          at(k + 1, r, column).of(q)[o] = activate_any(node.act, z, node.act_param);
        });
  }
  /** The state of pixel (r, c), of the gates' inputs at (z_row, c); `top` is the first row that has states. */
  __device__ __forceinline__ void lstm(int k, const PixelNode<T>& node, int64_t r, int64_t c, int64_t z_row, int64_t g, int64_t top) const {
    const int64_t hidden = node.channels, cr = r + node.cell_dy, cc = c + node.cell_dx;
    const bool has_before = cr >= top && cc >= 0 && cc < s.width;
    const Piece piece(hidden, 1, s.groups, node.phase == 0 ? g : -1);
    for_units<T, Q, 4>(
        piece.count,
        [&](int64_t unit, int lane, T (&sums)[4][Q]) { add_taps(node, k + 1, r, c, top, piece.column(unit), hidden, lane, sums); },
        [&](int64_t unit, int q, const T (&sum)[4]) {
          if (q >= live) return;
          const int64_t j = piece.column(unit);
          const T* z = at(node.input, z_row, c).of(q) + j;
          const LstmGates<T> now = lstm_gates(z[0] + sum[0], z[hidden] + sum[1], z[2 * hidden] + sum[2], z[3 * hidden] + sum[3]);
          const int64_t own = q * hidden + j;
          const T state = lstm_cell(now, has_before ? cell(k + 1, cr, cc)[own] : T(0));
          cell(k + 1, r, c)[own] = state;
          at(k + 1, r, c).p[own] = lstm_hidden(now, state);
        });
  }

  /** `columns` pixels of row r from c on; `above`: an LSTM makes row r of the row above. */
  __device__ __forceinline__ void compute(int k, const PixelNode<T>& node, int64_t r, int64_t c, int64_t columns, int64_t g, bool above) const {
    if (node.kind == NodeKind::conv) {
      conv(k, node, r, c, columns, g);
    } else if (node.kind == NodeKind::lstm) {
      // The states of a row depend on each other, from its end on.
      for (int64_t last = c + columns - 1; last >= c; --last) {
        if (last < c + columns - 1) __syncthreads();
        lstm(k, node, r, last, above ? r - 1 : r, g, above ? 1 : 0);
      }
    } else {
      const Piece piece(node.channels, 1, s.groups, g);
      const int64_t numbers = columns * Q * piece.count;
      for (int64_t e = threadIdx.x; e < numbers; e += block_threads) {
        const int64_t row = e / piece.count, o = piece.column(e - row * piece.count), column = c + row / Q;
        const int q = static_cast<int>(row % Q);
        if (q >= live) continue;
        const T* x = at(node.input, r, column).of(q) + o;
        T& y = at(k + 1, r, column).of(q)[o];
        if (node.kind == NodeKind::gate) y = gated_value(x[0], x[node.channels]);
        else if (node.kind == NodeKind::add) y = x[0] + at(node.addend, r, column).of(q)[o];
        else y = max(T(0), x[0]);
      }
    }
    __syncthreads();
  }

  /** A warp draws a level, or all of a pixel where a mixture describes it. */
  __device__ __forceinline__ void draw(int64_t r, int64_t c, int64_t g) const {
    const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
    const Pixels params = at(s.count, r, c), image = at(0, r, c);
    const int64_t begin = s.groups == 1 ? 0 : g, end = s.groups == 1 ? s.channels : g + 1;
    const int64_t draws = s.output == 1 ? 1 : end - begin;
    for (int64_t item = warp; item < live * draws; item += block_threads / warp_threads) {
      const int q = static_cast<int>(item / draws);
      const int64_t row = ((first + q) * s.height + r) * s.width + c;
      const T *p = params.of(q), *u = s.uniform.at(row, 0);
      T* const x = s.out.at(row, 0);
      T* const seen = image.of(q);
      const bool mixture = s.output == 1;
      const int64_t j = mixture ? 0 : begin + item % draws, choices = mixture ? s.mixture.components : s.levels;
      const int64_t chosen =
          s.output == 2 ? 0 : warp_draw_category(p + j * choices, static_cast<int>(choices), static_cast<double>(u[j]));
      if (lane != 0) continue;
      if (mixture) draw_logistics(s.mixture, chosen, p, u + 1, x);
      else x[j] = s.output == 2 ? draw_bit(p[j], u[j]) : level_of<T>(chosen);
      for (int64_t i = mixture ? begin : j; i < (mixture ? end : j + 1); ++i)
        seen[i] = x[i] == x[i] ? s.values[static_cast<int64_t>(x[i])] : x[i];
    }
    __syncthreads();
  }
};

template <class T, int Q>
__global__ void __launch_bounds__(block_threads, 1) paint(Sampler<T> s, T* maps) {
  T* const memory = maps + static_cast<int64_t>(blockIdx.x) * s.block_numbers;
  for (int64_t tile = blockIdx.x; tile * Q < s.images; tile += gridDim.x) {
    const int64_t first = tile * Q;
    const Painter<T, Q> painter{s, memory, first, s.images - first < Q ? static_cast<int>(s.images - first) : Q};
    for (int64_t e = threadIdx.x; e < s.block_numbers; e += block_threads) memory[e] = T(0);
    __syncthreads();
    for (int64_t r = 0; r < s.height; ++r) {
      // What can be made of a row at once, then its pixels, colour group by colour group.
      for (int64_t turn = -1; turn < s.width * s.groups; ++turn) {
        const bool whole = turn < 0;
        const int64_t c = whole ? 0 : turn / s.groups, g = whole ? -1 : turn % s.groups;
        for (int k = 0; k < s.count; ++k) {
          const PixelNode<T>& node = s.node[k];
          if (node.kind == NodeKind::context || whole != (node.phase > 0)) continue;
          const bool above = node.phase == 2, state = node.kind == NodeKind::lstm;
          // Above the first row there is nothing; what an LSTM would make of it are zeros.
          if (above && r == 0) continue;
          painter.compute(k, node, above && !state ? r - 1 : r, c, whole ? s.width : 1, g, above);
        }
        if (!whole) painter.draw(r, c, g);
      }
    }
  }
}

// --- The graph on the host ---

/** The numbers of n images' maps, or −1 where they cannot be counted: sizes in attributes may be anything. */
int64_t numbers_of(const PixelGraph& s, int64_t n) {
  int64_t total = 0;
  const auto add = [&](int64_t times, int64_t rows, int64_t channels) {
    int64_t count = 0;
    return !__builtin_mul_overflow(times * rows, s.width * n, &count) && !__builtin_mul_overflow(count, channels, &count) &&
           !__builtin_add_overflow(total, count, &total);
  };
  if (!add(1, s.image_rows, s.channels)) return -1;
  for (int k = 0; k < s.count; ++k) {
    const GraphNode& node = s.node[k];
    if (node.kind != NodeKind::context && !add(node.kind == NodeKind::lstm ? 2 : 1, node.rows, node.channels)) return -1;
  }
  return total < int64_t{1} << 48 ? total : -1;
}

template <class T>
bool run(const Call& call, PixelGraph& graph) {
  const int64_t multiprocessors = cuda::multiprocessors();
  const int64_t together = graph.images > 2 * multiprocessors ? 4 : 1;
  const int64_t numbers = numbers_of(graph, together);
  FLOW_CHECK(call, numbers >= 0, "image: expected smaller maps: %lld × %lld with %d nodes have no room", ll(graph.height), ll(graph.width),
             graph.count);
  if (graph.images == 0) return true;
  const int64_t blocks = min_of(ceil_div(graph.images, together), 2 * multiprocessors);
  const size_t map_bytes = static_cast<size_t>(graph.count + 1) * sizeof(PixelMap<T>), node_bytes = static_cast<size_t>(graph.count) * sizeof(PixelNode<T>);
  const size_t table = table_bytes(map_bytes + node_bytes + static_cast<size_t>(graph.taps) * sizeof(PixelTap));
  char* memory = static_cast<char*>(workspace(table + static_cast<size_t>(blocks * numbers) * sizeof(T)));
  if (!memory) return call.fail("the GPU has no memory for the maps of %lld images", ll(blocks * together));

  TableWriter writer(memory);
  int64_t at = 0;
  for (int m = 0; m <= graph.count; ++m) {
    const int64_t channels = graph.channels_of(m), rows = graph.rows_of(m), size = rows * graph.width * together * channels;
    const GraphNode* node = m == 0 ? nullptr : &graph.node[m - 1];
    const bool context = node && node->kind == NodeKind::context, cells = node && node->kind == NodeKind::lstm;
    const Operand& weight = call.in[m == 0 ? 0 : 2 * m];
    writer.add(PixelMap<T>{at, at + size, channels, rows, context ? weight.as<const T>() : nullptr, weight.ld});
    if (!context) at += cells ? 2 * size : size;
  }
  for (int k = 0; k < graph.count; ++k) {
    const GraphNode& n = graph.node[k];
    const Operand &weight = call.in[2 + 2 * k], &bias = call.in[3 + 2 * k];
    const bool conv = n.kind == NodeKind::conv;
    PixelNode<T> node;
    __builtin_memset(&node, 0, sizeof node);
    node.kind = n.kind, node.phase = n.phase, node.input = n.input, node.addend = n.addend;
    node.channels = n.channels, node.parts = n.parts;
    node.weight = weight.as<const T>(), node.bias = bias.as<const T>(), node.weight_ld = weight.ld;
    node.act = conv ? static_cast<Activation>(static_cast<int>(n.first)) : Activation::none;
    node.act_param = conv ? static_cast<T>(n.second) : T(0);
    node.cell_dy = static_cast<int64_t>(n.first), node.cell_dx = static_cast<int64_t>(n.second);
    node.taps = n.taps, node.first_tap = n.first_tap;
    writer.add(node);
  }
  for (int k = 0; k < graph.count; ++k) {
    const GraphNode& n = graph.node[k];
    for (int64_t t = 0; t < n.taps; ++t) {
      const double* tap = n.tap + 3 * t;
      writer.add(PixelTap{static_cast<int32_t>(tap[0]), static_cast<int32_t>(tap[1]), static_cast<int32_t>(tap[2]), 0});
    }
  }
  writer.finish();

  const Sampler<T> s{graph.height, graph.width, graph.groups, graph.channels, graph.images, graph.levels, graph.output, graph.count,
                     graph.mixture, reinterpret_cast<const PixelMap<T>*>(memory), reinterpret_cast<const PixelNode<T>*>(memory + map_bytes),
                     reinterpret_cast<const PixelTap*>(memory + map_bytes + node_bytes), numbers, matrix<const T>(call.in[0]),
                     call.in[1].as<const T>(), matrix<T>(call.out[0])};
  T* const maps = reinterpret_cast<T*>(memory + table);
  if (together == 1) FLOW_LAUNCH((paint<T, 1>), static_cast<unsigned>(blocks), block_threads, 0, s, maps);
  else FLOW_LAUNCH((paint<T, 4>), static_cast<unsigned>(blocks), block_threads, 0, s, maps);
  return launched(call);
}

bool pixel_sample(const Call& call) {
  PixelGraph graph;
  if (!read_graph(call, graph)) return false;
  return with_float(call, call.in[0], "uniform", [&](auto zero) { return run<decltype(zero)>(call, graph); });
}

}  // namespace

FLOW_DEFINE_OP(pixel_sample) = {"pixel_sample", pixel_sample, 4, 2 + 2 * most_nodes, 1, -1};

}  // namespace flow::cuda
