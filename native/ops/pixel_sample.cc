// pixel_sample: draws images from an autoregressive network pixel by pixel; each activation is computed once, in the same order
// of operations as the ops that compute it for all pixels, so that the bits are theirs.
//
// The network is a graph of maps (lib/models/pixelGraph.ts). Map 0 is the image as the network sees it, node k makes map k + 1.
// Nodes of phase 0 (pixel) are computed when the pixels before are known, colour group by colour group; those of phase 1 (row)
// for a whole row when the rows above are known; those of phase 2 (above) for the row above, before a row is begun. Of a map so
// many rows are kept as its readers reach back. All rows of a map are [width][images][channels], so that one pixel of all images
// of a task is one matrix.
//
// in: uniform [N·P, U], values [1, levels] (what the network sees for each level), then two operands a node: weight and bias of a
// convolution, the weight of an LSTM, what a context gives [N, channels], or absent. out: levels [N·P, C].
// Attributes: height, width, groups, output (0 categorical, 1 mixture, 2 Bernoulli), levels, least log-scale, number of nodes;
// then for each node: kind, phase, input, addend or −1, channels, parts, two numbers (conv: activation and its parameter; lstm:
// the step to the cell before), live taps, and place, dy, dx of each.
#include "ops/discrete.h"
#include "ops/spatial_lstm.h"
#include "math/gated_activation.h"
// What it calls comes before.
#include "ops/pixel_graph.h"

namespace flow::FLOW_ISA {
namespace {

// Whether the numbers that a task of n images works on can be counted: sizes in attributes may be anything.
inline bool is_countable(const PixelGraph& s, int64_t n) {
  int64_t total = 0;
  const auto add = [&](int64_t count, int64_t times, int64_t channels) {
    return !__builtin_mul_overflow(count, times, &count) && !__builtin_mul_overflow(count, channels, &count) &&
           !__builtin_add_overflow(total, count, &total);
  };
  const int64_t row = s.width * n;  // ≤ 2^26
  if (!add(row, s.image_rows, s.channels)) return false;
  for (int k = 0; k < s.count; ++k) {
    const GraphNode& node = s.node[k];
    const int64_t read = node.kind == NodeKind::conv ? s.channels_of(node.input) : node.channels;
    if (!add(row, 2 * node.rows, node.channels) || !add(row, node.taps + 4, read)) return false;
  }
  return total < int64_t{1} << 48;
}

// Columns of a product: its parts, each with the columns of one group, or all of them.
struct Piece {
  int64_t from, columns;
};

template <class T>
class Task {
 public:
  Task(const Call& call, const PixelGraph& sampler, const T* panels, int64_t first, int64_t images)
      : s(sampler), packed(panels), n0(first), n(images), uniform(call.in[0]), out(call.out[0]), values(call.in[1].as<T>()) {
    int64_t elements = 0, most = 1, deepest = 1, longest = 1;
    for (int m = 0; m <= s.count; ++m) {
      start[m] = elements;
      elements += rows(m) * s.width * n * s.channels_of(m) + Vec<T>::width;
      if (m == 0) continue;
      const GraphNode& node = s.node[m - 1];
      const int64_t at_once = node.phase == 0 || node.kind == NodeKind::lstm ? n : n * s.width;
      cells[m] = elements;
      if (node.kind == NodeKind::lstm) {
        elements += rows(m) * s.width * n * node.channels;
        most = max_of(most, 4 * node.channels * n);
        deepest = max_of(deepest, at_once * node.taps * node.channels);
      }
      if (node.kind == NodeKind::conv) deepest = max_of(deepest, at_once * node.taps * s.channels_of(node.input));
    }
    longest = max_of(s.levels, s.mixture.components);
    const int64_t w = Vec<T>::width;
    T* work = static_cast<T*>(scratch(static_cast<size_t>(elements + most + deepest + longest + 4 * w) * sizeof(T), 5));
    __builtin_memset(work, 0, static_cast<size_t>(elements) * sizeof(T));
    maps = work, sums = maps + elements + w, columns = sums + most + w, weights = columns + deepest + w;
  }

  void run() {
    for (int64_t r = 0; r < s.height; ++r) {
      for (int k = 0; k < s.count; ++k) {
        const GraphNode& node = s.node[k];
        if (node.kind == NodeKind::context) {
          if (r == 0) copy_context(k);
        } else if (node.phase == 1) {
          compute(k, r, 0, s.width, -1);
        } else if (node.phase == 2) {
          above(k, r);
        }
      }
      for (int64_t c = 0; c < s.width; ++c) {
        for (int64_t g = 0; g < s.groups; ++g) {
          for (int k = 0; k < s.count; ++k)
            if (s.node[k].phase == 0 && s.node[k].kind != NodeKind::context) compute(k, r, c, 1, g);
          draw(r, c, g);
        }
      }
    }
  }

 private:
  const PixelGraph& s;
  const T* packed;
  int64_t n0, n;
  const Operand &uniform, &out;
  const T* values;
  int64_t start[most_nodes + 1], cells[most_nodes + 1];
  T *maps, *sums, *columns, *weights;

  int64_t rows(int m) const { return m == 0 ? s.image_rows : s.node[m - 1].rows; }
  // All images at one pixel, [n][channels].
  T* at(int m, int64_t r, int64_t c) const {
    const bool one = m > 0 && s.node[m - 1].kind == NodeKind::context;
    return maps + start[m] + (one ? 0 : ((r % rows(m)) * s.width + c) * n * s.channels_of(m));
  }
  T* cell(int m, int64_t r, int64_t c) const {
    return maps + cells[m] + ((r % rows(m)) * s.width + c) * n * s.channels_of(m);
  }

  void copy_context(int k) {
    const GraphNode& node = s.node[k];
    for (int64_t i = 0; i < n; ++i)
      __builtin_memcpy(at(k + 1, 0, 0) + i * node.channels, node.weight->as<T>() + (n0 + i) * node.weight->ld,
                       static_cast<size_t>(node.channels) * sizeof(T));
  }

  // The row above `r`; an LSTM writes what it makes of it to row r.
  void above(int k, int64_t r) {
    const GraphNode& node = s.node[k];
    if (node.kind != NodeKind::lstm) {
      if (r > 0) compute(k, r - 1, 0, s.width, -1);
      return;
    }
    const size_t bytes = static_cast<size_t>(s.width * n * node.channels) * sizeof(T);
    if (r == 0) {
      __builtin_memset(at(k + 1, 0, 0), 0, bytes);
      return;
    }
    for (int64_t c = s.width - 1; c >= 0; --c) lstm(k, r, c, at(node.input, r - 1, c), -1, 1);
  }

  // Tap after tap, the channels of the pixel that it reads: [count·n, taps·channels] from (r, c) on; zeros outside, and in rows
  // above `top`.
  void gather(const GraphNode& node, int map, int64_t r, int64_t c, int64_t count, int64_t top) const {
    const int64_t channels = s.channels_of(map), ld = node.taps * channels;
    const size_t bytes = static_cast<size_t>(channels) * sizeof(T);
    for (int64_t t = 0; t < node.taps; ++t) {
      const int64_t rr = r + node.dy(t);
      for (int64_t q = 0; q < count; ++q) {
        const int64_t cc = c + q + node.dx(t);
        T* to = columns + q * n * ld + t * channels;
        if (rr < top || cc < 0 || cc >= s.width) {
          for (int64_t i = 0; i < n; ++i) __builtin_memset(to + i * ld, 0, bytes);
          continue;
        }
        const T* from = at(map, rr, cc);
        for (int64_t i = 0; i < n; ++i) __builtin_memcpy(to + i * ld, from + i * channels, bytes);
      }
    }
  }

  // The parts of `channels` that group g has; all of them for g = −1.
  template <class F>
  void for_pieces(int64_t channels, int64_t parts, int64_t g, const F& body) const {
    if (g < 0 || s.groups == 1) return body(Piece{0, channels});
    const int64_t part = channels / parts, own = part / s.groups;
    for (int64_t p = 0; p < parts; ++p) body(Piece{p * part + g * own, own});
  }

  // Panels of the rows of a weight that a piece has: packed piece by piece, in the order of the columns.
  const T* panels_of_piece(const GraphNode& node, Piece piece, int64_t width, int64_t parts, int64_t depth) const {
    const int64_t own = s.groups == 1 || node.phase != 0 ? width : width / parts / s.groups;
    return packed + node.packed + piece.from / own * packed_b_elements<T>(own, depth);
  }

  void compute(int k, int64_t r, int64_t c, int64_t count, int64_t g) {
    const GraphNode& node = s.node[k];
    const int64_t channels = node.channels, rows_at_once = count * n;
    T* y = at(k + 1, r, c);
    const T* x = at(node.input, r, c);
    switch (node.kind) {
      case NodeKind::conv: {
        const int64_t inputs = s.channels_of(node.input), depth = node.taps * inputs;
        const bool in_place = node.taps == 1 && node.dy(0) == 0 && node.dx(0) == 0;
        if (!in_place) gather(node, node.input, r, c, count, 0);
        for_pieces(channels, node.parts, node.phase == 0 ? g : -1, [&](Piece piece) {
          PackedProduct<T> product;
          product.m = rows_at_once, product.n = piece.columns, product.k = depth;
          product.a = in_place ? x : columns, product.lda = depth;
          product.b_packed = panels_of_piece(node, piece, channels, node.parts, depth);
          product.c = y + piece.from, product.ldc = channels;
          product.epilogue.bias = node.bias->absent() ? nullptr : node.bias->as<T>() + piece.from;
          product.epilogue.act = static_cast<Activation>(static_cast<int>(node.first));
          product.epilogue.act_param = node.second;
          if (node.addend >= 0) {
            const bool alike = node.addend > 0 && s.node[node.addend - 1].kind == NodeKind::context;
            const T* e = at(node.addend, r, c);
            for (int64_t i = 0; i < rows_at_once; ++i)
              __builtin_memcpy(y + i * channels + piece.from, e + (alike ? i % n : i) * channels + piece.from,
                               static_cast<size_t>(piece.columns) * sizeof(T));
            product.epilogue.accumulate = true;
          }
          run_packed(product, 0, tiles_of(rows_at_once));
        });
        return;
      }
      case NodeKind::lstm: return lstm(k, r, c, x, g, 0);
      case NodeKind::gate:
        for_pieces(channels, 1, g, [&](Piece piece) {
          for (int64_t i = 0; i < rows_at_once; ++i) {
            const T *a = x + i * 2 * channels + piece.from, *b = a + channels;
            T* to = y + i * channels + piece.from;
            for_lanes<Vec<T>>(piece.columns, [&](int64_t j, int live) FLOW_INLINE_LAMBDA {
              store_live(to + j, gated_value(load_live(a + j, live), load_live(b + j, live)), live);
            });
          }
        });
        return;
      default: {  // relu, add
        const T* e = node.kind == NodeKind::add ? at(node.addend, r, c) : nullptr;
        for_pieces(channels, 1, g, [&](Piece piece) {
          for (int64_t i = 0; i < rows_at_once; ++i) {
            const T* from = x + i * channels + piece.from;
            T* to = y + i * channels + piece.from;
            for (int64_t j = 0; j < piece.columns; ++j)
              to[j] = e ? from[j] + e[i * channels + piece.from + j] : max(T(0), from[j]);
          }
        });
      }
    }
  }

  // The state of pixel (r, c); `top` is the first row that has states.
  void lstm(int k, int64_t r, int64_t c, const T* z, int64_t g, int64_t top) {
    const GraphNode& node = s.node[k];
    const int64_t hidden = node.channels, depth = node.taps * hidden;
    gather(node, k + 1, r, c, 1, top);
    for_pieces(4 * hidden, 4, node.phase == 0 ? g : -1, [&](Piece piece) {
      PackedProduct<T> product;
      product.m = n, product.n = piece.columns, product.k = depth;
      product.a = columns, product.lda = depth;
      product.b_packed = panels_of_piece(node, piece, 4 * hidden, 4, depth);
      product.c = sums + piece.from, product.ldc = 4 * hidden;
      run_packed(product, 0, tiles_of(n));
    });
    const int64_t cr = r + static_cast<int64_t>(node.first), cc = c + static_cast<int64_t>(node.second);
    const bool has_before = cr >= top && cc >= 0 && cc < s.width;
    for_pieces(hidden, 1, node.phase == 0 ? g : -1, [&](Piece piece) {
      for (int64_t i = 0; i < n; ++i) {
        T *to = at(k + 1, r, c) + i * hidden, *own = cell(k + 1, r, c) + i * hidden;
        const T* before = has_before ? cell(k + 1, cr, cc) + i * hidden + piece.from : nullptr;
        lstm_row<T>(hidden, piece.columns, z + i * 4 * hidden + piece.from, sums + i * 4 * hidden + piece.from, before, nullptr,
                    own + piece.from, to + piece.from);
      }
    });
  }

  void draw(int64_t r, int64_t c, int64_t g) {
    const int map = s.count;
    const int64_t width = s.channels_of(map);
    const T* params = at(map, r, c);
    T* image = at(0, r, c);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = ((n0 + i) * s.height + r) * s.width + c;
      const T *p = params + i * width, *u = uniform.as<T>() + row * uniform.ld;
      T* x = out.as<T>() + row * out.ld;
      if (s.output == 1) {
        draw_mixture(s.mixture, p, u, x, weights);
      } else {
        const int64_t first = s.groups == 1 ? 0 : g, last = s.groups == 1 ? s.channels : g + 1;
        for (int64_t j = first; j < last; ++j)
          x[j] = s.output == 2 ? draw_bit(p[j], u[j])
                               : level_of<T>(draw_category(p + j * s.levels, s.levels, static_cast<double>(u[j]), weights));
      }
      for (int64_t j = 0; j < s.channels; ++j)
        if (s.groups == 1 || j == g) image[i * s.channels + j] = x[j] == x[j] ? values[static_cast<int64_t>(x[j])] : x[j];
    }
  }
};

// Packs the live taps of the weights, piece by piece.
template <class T>
int64_t pack_nodes(PixelGraph& s, T* packed) {
  int64_t at = 0;
  for (int k = 0; k < s.count; ++k) {
    GraphNode& node = s.node[k];
    const bool conv = node.kind == NodeKind::conv;
    if (!conv && node.kind != NodeKind::lstm) continue;
    const int64_t inputs = conv ? s.channels_of(node.input) : node.channels;
    const int64_t width = conv ? node.channels : 4 * node.channels, parts = conv ? node.parts : 4;
    const int64_t depth = node.taps * inputs, pieces = s.groups == 1 || node.phase != 0 ? 1 : parts * s.groups;
    const int64_t own = width / pieces;
    node.packed = at;
    for (int64_t piece = 0; piece < pieces; ++piece, at += packed_b_elements<T>(own, depth)) {
      if (!packed) continue;
      T* rows = static_cast<T*>(scratch(static_cast<size_t>(own * depth) * sizeof(T) + kVectorBytes, 6));
      for (int64_t o = 0; o < own; ++o)
        for (int64_t t = 0; t < node.taps; ++t)
          __builtin_memcpy(rows + o * depth + t * inputs,
                           node.weight->as<T>() + (piece * own + o) * node.weight->ld + static_cast<int64_t>(node.tap[3 * t]) * inputs,
                           static_cast<size_t>(inputs) * sizeof(T));
      const PackSource<T> source{rows, depth, true, MaskKind::none, nullptr};
      for (int64_t panel = 0; panel < packed_panels<T>(own); ++panel) pack_b_panel(source, own, depth, panel, packed + at);
    }
  }
  return at;
}

constexpr int64_t kMostTogether = 64;  // images of a task: beyond, their maps leave the cache

template <class T>
bool run_type(const Call& call, PixelGraph& s) {
  const int64_t elements = pack_nodes<T>(s, nullptr);
  T* packed = static_cast<T*>(scratch(static_cast<size_t>(elements) * sizeof(T) + kVectorBytes, 4));
  pack_nodes<T>(s, packed);
  // Images do not depend on each other: a thread takes its share through all pixels.
  const int64_t threads = thread_count(), together = min_of(kMostTogether, ceil_div(s.images, threads));
  FLOW_CHECK(call, is_countable(s, together), "image: expected smaller maps: %lld × %lld with %d nodes have no room", ll(s.height),
             ll(s.width), s.count);
  const int64_t tasks = s.images > 0 ? ceil_div(s.images, together) : 0;
  parallel(tasks, [&](int64_t task) {
    const int64_t first = task * s.images / tasks, last = (task + 1) * s.images / tasks;
    if (last > first) Task<T>(call, s, packed, first, last - first).run();
  });
  return true;
}

bool pixel_sample(const Call& call) {
  PixelGraph* s = static_cast<PixelGraph*>(scratch(sizeof(PixelGraph), 7));
  s->mixture = {0, 0, 0, 0};
  if (!read_graph(call, *s)) return false;
  return with_float(call, call.in[0], "uniform", [&](auto zero) { return run_type<decltype(zero)>(call, *s); });
}

}  // namespace

FLOW_DEFINE_OP(pixel_sample) = {"pixel_sample", pixel_sample, 4, 2 + 2 * most_nodes, 1, -1};

}  // namespace flow::FLOW_ISA
