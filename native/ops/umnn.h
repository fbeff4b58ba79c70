// The increasing function of an unconstrained monotonic network (Wehenkel, Louppe 2019) for a register of samples:
//
//     f(x) = β + ∫₀ˣ g(t) dt,   g(t) = least + softplus(network(t, h) + log(e − 1)),   beyond ±bound its tangent there
//
// by the rule of Clenshaw and Curtis at Q + 1 nodes from x to 0, as lib/bijections/umnnTransformer.ts computes it. A network takes eight
// points of all lanes at once, by the products of ops/incremental.h. At 0 it is the same for every x: computed once a root. The
// first guess is the root by a rule of at most eight of the nodes: then two or three evaluations of the whole rule suffice.
//
// Parameters: β, then the embedding h.
#pragma once
#include "ops/incremental.h"
#include "ops/monotone.h"
#include "simd/gemm_epilogue.h"

namespace flow::FLOW_ISA {

inline constexpr int most_umnn_layers = 16, umnn_attributes = 5;
inline constexpr int64_t umnn_points = 8;

template <class V>
struct Umnn {
  using T = lane_t<V>;
  static constexpr int64_t w = V::width, row = umnn_points * w;

  struct Layer {
    const T* weight;  // [units, inputs]
    const T* bias;
    int64_t ld, units, inputs;
  };
  Layer layer[most_umnn_layers];  // the first of t alone, the last of one unit
  int layers = 0;
  const T* embedding;  // [H1, E]
  int64_t embedding_ld, embedded;
  const T *nodes, *weights, *coarse;  // (node + 1)/2 and weight/2; weights of every stride-th node, or null
  int64_t steps, stride;              // Q
  Activation act;
  T act_param, bound, least, unit;
  int64_t widest = 0;

  int64_t params() const { return 1 + embedded; }
  // What the embedding adds to the first layer, g(0), two layers of the network.
  int64_t work() const { return layer[0].units + 1 + 2 * widest * umnn_points; }

  void prepare(Rows<V> raw, Rows<V> work) const {
    const Layer& first = layer[0];
    for (int64_t u = 0; u < first.units; ++u) {
      V sum(first.bias ? first.bias[u] : T(0));
      for (int64_t e = 0; e < embedded; ++e) sum = fma(V(embedding[u * embedding_ld + e]), raw[1 + e], sum);
      work.set(u, sum);
    }
    V g[umnn_points];
    slopes(work, V(T(0)), &zero, 1, 1, g);
    work.set(first.units, g[0]);
  }

  // g at x·at[0], x·at[step], …: up to eight points.
  FLOW_NOINLINE void slopes(Rows<V> work, V x, const T* at, int64_t step, int64_t count, V* g) const {
    T* from = work.p + (layer[0].units + 1) * w;
    T* to = from + widest * row;
    for (int64_t u = 0; u < layer[0].units; ++u) {
      const V start = work[u], slope = V(layer[0].weight[u * layer[0].ld]) * x;
      for (int64_t p = 0; p < umnn_points; ++p)
        store(from + u * row + p * w, fma(slope, V(at[(p < count ? p : 0) * step]), start));
    }
    finish(from, layer[0].units);
    for (int l = 1; l < layers; ++l) {
      const Layer& own = layer[l];
      for (int64_t u = 0; u < own.units; u += block_units) {
        const int64_t units = min_of(own.units - u, block_units);
        for (int64_t r = 0; r < units; ++r)
          for (int64_t p = 0; p < umnn_points; ++p) store(to + (u + r) * row + p * w, V(own.bias ? own.bias[u + r] : T(0)));
        accumulate<1>(units, own.weight + u * own.ld, own.ld, own.inputs, from, row, to + u * row);
      }
      if (l + 1 < layers) finish(to, own.units);
      T* swap = from;
      from = to;
      to = swap;
    }
    for (int64_t p = 0; p < count; ++p) g[p] = V(least) + softplus(load<V>(from + p * w) + V(unit));
  }
  FLOW_INLINE void finish(T* z, int64_t units) const {
    finish_block<T>(1, units * row, z, units * row, nullptr, act, act_param, nullptr, 0, Activation::none, T(0));
  }

  // The mean of g over [0, x] by every step-th node and these weights; its value at x.
  FLOW_INLINE V mean(Rows<V> work, V x, const T* rule, int64_t step, V& at_x) const {
    const int64_t count = steps / step;
    V g[umnn_points], sum = V(rule[count]) * work[layer[0].units];
    at_x = V(T(0));
    for (int64_t k = 0; k < count; k += umnn_points) {
      const int64_t some = min_of(umnn_points, count - k);
      slopes(work, x, nodes + k * step, step, some, g);
      if (k == 0) at_x = g[0];
      for (int64_t p = 0; p < some; ++p) sum = fma(V(rule[k + p]), g[p], sum);
    }
    return sum;
  }
  FLOW_INLINE V clamp(V x) const { return max(V(-bound), min(V(bound), x)); }

  Value<V> value(Rows<V> raw, Rows<V> work, V x) const {
    V slope;
    const V inside = clamp(x), inner = inside * mean(work, inside, weights, 1, slope), outer = slope * (x - inside);
    return {raw[0] + inner + outer, log(slope), abs(raw[0]) + abs(inner) + abs(outer)};
  }

  void bracket(Rows<V> raw, Rows<V> work, V y, V& low, V& high, V& start) const {
    const V gap = y - raw[0];
    bracket_by_slope(V(T(0)), gap, least, low, high);
    start = gap;
    for (int k = 0; coarse && k < 4; ++k) {
      V slope;
      const V inside = clamp(start), inner = inside * mean(work, inside, coarse, stride, slope);
      start = max(low, min(high, start + (gap - inner - slope * (start - inside)) / slope));
    }
  }

  T zero = T(0);
};

// Attributes from `at`: hidden layers, activation, its parameter, bound, least slope. Operands from `first`: embedding [H1, E], weight
// and bias of each layer, nodes [1, Q + 1], weights [1, Q + 1], weights of the coarse rule or absent.
inline int umnn_operands(const Call& call, int at) { return 6 + 2 * static_cast<int>(call.int_attr(at)); }

template <class V>
bool read_umnn(const Call& call, int at, int first, DType dtype, Umnn<V>& net) {
  using T = lane_t<V>;
  const int64_t hidden = call.int_attr(at);
  const double bound = call.attr[at + 3], least = call.attr[at + 4];
  double act_param = 0;
  FLOW_CHECK(call, bound > 0 && least > 0, "bound, least slope: expected numbers above 0, got %g and %g", bound, least);
  if (!read_activation(call, at + 1, net.act, act_param)) return false;
  const Operand* own = call.in + first;
  const Operand& embedding = own[0];
  int64_t inputs = 1;
  net.layers = static_cast<int>(hidden) + 1;
  for (int l = 0; l < net.layers; ++l) {
    const Operand &weight = own[1 + 2 * l], &bias = own[2 + 2 * l];
    const int64_t units = l < hidden ? weight.rows : 1;
    if (!check_shape(call, weight, "integrand, weight", units, inputs, dtype)) return false;
    if (!bias.absent() && !check_shape(call, bias, "integrand, bias", 1, units, dtype)) return false;
    net.layer[l] = {weight.template as<T>(), bias.template as<T>(), weight.ld, units, inputs};
    net.widest = max_of(net.widest, units);
    inputs = units;
  }
  if (!check_shape(call, embedding, "embedding", net.layer[0].units, embedding.cols, dtype)) return false;
  const Operand* rule = own + 1 + 2 * net.layers;
  const int64_t count = rule[0].cols;
  FLOW_CHECK(call, count >= 2, "nodes: expected 2 or more, got %lld", ll(count));
  if (!check_shape(call, rule[0], "nodes", 1, count, dtype) || !check_shape(call, rule[1], "weights", 1, count, dtype)) return false;
  net.steps = count - 1;
  net.coarse = nullptr;
  net.stride = 1;
  if (!rule[2].absent()) {
    const int64_t coarse = rule[2].cols - 1;
    FLOW_CHECK(call, coarse >= 1 && net.steps % coarse == 0, "coarse weights: expected a divisor of %lld intervals, got %lld", ll(net.steps),
               ll(coarse));
    if (!check_shape(call, rule[2], "coarse weights", 1, coarse + 1, dtype)) return false;
    net.coarse = rule[2].template as<T>();
    net.stride = net.steps / coarse;
  }
  net.embedding = embedding.template as<T>();
  net.embedding_ld = embedding.ld;
  net.embedded = embedding.cols;
  net.nodes = rule[0].template as<T>();
  net.weights = rule[1].template as<T>();
  net.act_param = static_cast<T>(act_param);
  net.bound = static_cast<T>(bound);
  net.least = static_cast<T>(least);
  net.unit = static_cast<T>(0.54132485461291810);  // log(e − 1)
  return true;
}

}  // namespace flow::FLOW_ISA
