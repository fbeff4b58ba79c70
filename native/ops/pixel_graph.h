// What pixel_sample knows of its network, on either device: a graph of maps, read from operands and attributes (see the op) and checked.
// Comes after the ops/discrete.h of the device, whose checks it calls.
#pragma once
#include "core/op.h"

namespace flow::FLOW_ISA {

enum class NodeKind : int { conv, relu, gate, add, context, lstm, count };

struct GraphNode {
  NodeKind kind;
  int phase, input, addend;
  int64_t channels, parts, taps;
  double first, second;
  const double* tap;  // place, dy, dx
  const Operand *weight, *bias;
  int64_t rows;       // kept of its map
  int64_t first_tap;  // of those of all nodes
  int64_t packed;     // where its panels begin: for who makes some

  int64_t dy(int64_t t) const { return static_cast<int64_t>(tap[3 * t + 1]); }
  int64_t dx(int64_t t) const { return static_cast<int64_t>(tap[3 * t + 2]); }
};

inline constexpr int graph_header = 7, node_header = 9;
inline constexpr int most_nodes = 512;
inline constexpr int64_t farthest = 1000000;  // step of a tap

struct PixelGraph {
  int64_t height, width, groups, channels, images, levels, uniforms, taps;
  int output, count;
  LogisticMixture mixture;
  GraphNode node[most_nodes];
  int64_t image_rows;  // kept of map 0

  int64_t channels_of(int map) const { return map == 0 ? channels : node[map - 1].channels; }
  int64_t& rows_of(int map) { return map == 0 ? image_rows : node[map - 1].rows; }
};

inline bool read_graph(const Call& call, PixelGraph& s) {
  const Operand &uniform = call.in[0], &out = call.out[0];
  FLOW_CHECK(call, call.n_attr >= graph_header && whole_attr(call, 0, 1, 1 << 20) && whole_attr(call, 1, 1, 1 << 20) &&
                       whole_attr(call, 2, 1, 64) && whole_attr(call, 3, 0, 2) && whole_attr(call, 4, 2, most_levels) &&
                       whole_attr(call, 6, 1, most_nodes),
             "attributes: expected the sizes of an image, groups, output, levels and 1 to %d nodes", most_nodes);
  s.height = call.int_attr(0), s.width = call.int_attr(1), s.groups = call.int_attr(2);
  s.output = static_cast<int>(call.attr[3]), s.levels = call.int_attr(4), s.count = static_cast<int>(call.attr[6]);
  s.channels = out.cols;
  s.image_rows = 2;
  s.taps = 0;
  s.mixture = {0, 0, 0, 0};
  FLOW_CHECK(call, uniform.rows % (s.height * s.width) == 0, "uniform: expected a multiple of %lld rows, got %lld",
             ll(s.height * s.width), ll(uniform.rows));
  s.images = uniform.rows / (s.height * s.width);
  s.uniforms = s.channels + (s.output == 1 ? 1 : 0);
  FLOW_CHECK(call, s.groups == 1 || s.groups == s.channels, "groups: expected 1 or %lld, got %lld", ll(s.channels), ll(s.groups));
  if (!check_like(call, uniform, "uniform", uniform, s.uniforms) || !check_like(call, out, "output", uniform, s.channels) ||
      !check_shape(call, call.in[1], "values", 1, s.levels, uniform.dtype))
    return false;
  FLOW_CHECK(call, call.n_in == 2 + 2 * s.count, "inputs: expected two a node, got %d for %d nodes", call.n_in - 2, s.count);
  int at = graph_header;
  for (int k = 0; k < s.count; ++k) {
    FLOW_CHECK(call, at + node_header <= call.n_attr, "attributes: expected %d nodes, got %d numbers", s.count, call.n_attr);
    const double* a = call.attr + at;
    GraphNode& n = s.node[k];
    FLOW_CHECK(call, whole_attr(call, at, 0, static_cast<int>(NodeKind::count) - 1) && whole_attr(call, at + 1, 0, 2) &&
                         whole_attr(call, at + 2, 0, k) && whole_attr(call, at + 3, -1, k) && whole_attr(call, at + 4, 1, 1 << 24) &&
                         whole_attr(call, at + 5, 1, 4) && whole_attr(call, at + 8, 0, (call.n_attr - at - node_header) / 3),
               "node %d: expected kind, phase, maps before it, channels, parts and taps", k);
    n.kind = static_cast<NodeKind>(static_cast<int>(a[0]));
    n.phase = static_cast<int>(a[1]), n.input = static_cast<int>(a[2]), n.addend = static_cast<int>(a[3]);
    n.channels = static_cast<int64_t>(a[4]), n.parts = static_cast<int64_t>(a[5]), n.taps = static_cast<int64_t>(a[8]);
    n.first = a[6], n.second = a[7], n.tap = a + node_header;
    n.weight = &call.in[2 + 2 * k], n.bias = &call.in[3 + 2 * k];
    n.rows = 2;
    n.first_tap = s.taps;
    s.taps += n.taps;
    at += node_header + static_cast<int>(3 * n.taps);
    const int64_t inputs = s.channels_of(n.input), step = s.groups * n.parts;
    FLOW_CHECK(call, n.channels % step == 0 || n.kind == NodeKind::context, "node %d: expected a multiple of %lld channels, got %lld",
               k, ll(step), ll(n.channels));
    FLOW_CHECK(call, n.addend < 0 || s.channels_of(n.addend) == n.channels, "node %d: expected an addend of %lld channels", k,
               ll(n.channels));
    for (int64_t t = 0; t < n.taps; ++t) {
      const int tap = at - static_cast<int>(3 * (n.taps - t));
      FLOW_CHECK(call, whole_attr(call, tap, 0, 1 << 24) && whole_attr(call, tap + 1, -farthest, farthest) &&
                           whole_attr(call, tap + 2, -farthest, farthest),
                 "node %d: tap %lld: expected whole numbers, a place and two steps, got (%g, %g, %g)", k, ll(t), call.attr[tap],
                 call.attr[tap + 1], call.attr[tap + 2]);
      FLOW_CHECK(call, n.dy(t) <= 0 && (n.phase != 0 || n.dy(t) < 0 || n.dx(t) <= 0),
                 "node %d: tap %lld reads a pixel that is not known yet", k, ll(t));
    }
    // Rows that are above the image are zeros: they are not kept.
    int64_t& kept = s.rows_of(n.kind == NodeKind::lstm ? k + 1 : n.input);
    for (int64_t t = 0; t < n.taps; ++t) kept = max_of(kept, min_of(2 - n.dy(t), max_of(2, s.height)));
    switch (n.kind) {
      case NodeKind::conv: {
        Activation act = Activation::none;
        double param = 0;
        double most = 0;
        for (int64_t t = 0; t < n.taps; ++t) most = n.tap[3 * t] > most ? n.tap[3 * t] : most;
        if (!read_activation(call, at - static_cast<int>(3 * n.taps) - 3, act, param)) return false;
        FLOW_CHECK(call, static_cast<double>(n.weight->cols) >= (most + 1) * static_cast<double>(inputs), "node %d: weight of too few columns", k);
        if (!check_shape(call, *n.weight, "weight", n.channels, n.weight->cols, uniform.dtype)) return false;
        if (!n.bias->absent() && !check_shape(call, *n.bias, "bias", 1, n.channels, uniform.dtype)) return false;
        break;
      }
      case NodeKind::gate:
        FLOW_CHECK(call, inputs == 2 * n.channels, "node %d: expected %lld inputs, got %lld", k, ll(2 * n.channels), ll(inputs));
        break;
      case NodeKind::context:
        if (!check_shape(call, *n.weight, "context", s.images, n.channels, uniform.dtype)) return false;
        break;
      case NodeKind::lstm:
        FLOW_CHECK(call, inputs == 4 * n.channels && n.taps > 0 && (n.first == -1 || n.first == 0) &&
                             (n.second == -1 || n.second == 0 || n.second == 1),
                   "node %d: expected 4 inputs a state, taps and the step to a cell", k);
        for (int64_t t = 0; t < n.taps; ++t)
          FLOW_CHECK(call, n.tap[3 * t] < static_cast<double>(n.taps), "node %d: tap %lld: expected a place below %lld, got %g", k,
                     ll(t), ll(n.taps), n.tap[3 * t]);
        if (!check_shape(call, *n.weight, "weight", 4 * n.channels, n.taps * n.channels, uniform.dtype)) return false;
        break;
      default:
        FLOW_CHECK(call, inputs == n.channels && (n.kind == NodeKind::add) == (n.addend >= 0), "node %d: expected %lld inputs, got %lld",
                   k, ll(n.channels), ll(inputs));
    }
  }
  FLOW_CHECK(call, at == call.n_attr, "attributes: expected %d numbers, got %d", at, call.n_attr);
  FLOW_CHECK(call, s.node[s.count - 1].phase == 0, "output: expected the last node to be computed pixel by pixel");
  const Operand params{nullptr, uniform.dtype, uniform.rows, s.node[s.count - 1].channels, 0};
  if (s.output == 1) return read_mixture(call, params, s.channels, 4, s.mixture);
  const int64_t wanted = s.output == 0 ? s.channels * s.levels : s.channels;
  FLOW_CHECK(call, params.cols == wanted, "output: expected %lld channels, got %lld", ll(wanted),
             ll(params.cols));
  return true;
}

}  // namespace flow::FLOW_ISA
