// A dimension of a block autoregressive network (De Cao, Titov, Aziz 2019) as a function of its own number x, with all that the
// dimensions before it send already in `base`:
//
//   h_1 = tanh(base_1 + B_1·x)     h_l = tanh(base_l + B_l·h_(l−1))     y = σ(γ)·(base_L + B_L·h_(L−1)) + σ(−γ)·x
//
// B_l > 0 are the diagonal blocks of the dimension, so y increases, with a slope of σ(−γ) at least. dy/dx is the product of the blocks, in which
// nothing cancels: all terms are positive.
#pragma once
#include "math/rows.h"
#include "math/solve.h"

namespace flow::FLOW_ISA {

inline constexpr int most_block_layers = 16;

// W [D·units, D·units before], and the bias, or null.
template <class T>
struct BlockLayer {
  const T* weight;
  const T* bias;
  int64_t ld;
  int64_t units;   // a dimension
  int64_t first;   // row of its first unit among the hidden units of all dimensions and layers
};

// σ(γ), σ(−γ).
template <class V>
struct BlockGate {
  V share, rest;
};

template <class V>
struct BlockNetwork {
  using T = lane_t<V>;
  BlockLayer<T> layer[most_block_layers];
  int layers;
  int64_t base_rows;  // Σ units
  int64_t widest;     // units of a dimension in the widest layer

  FLOW_FORMULA int64_t before(int l) const { return l == 0 ? 1 : layer[l - 1].units; }
  // Beside the values: base, and two layers of slopes.
  FLOW_FORMULA int64_t work() const { return base_rows + 2 * widest; }

  // Dimension i at x. work: base, then slopes; values: hidden units [row][step], of which those of dimension i are set.
  FLOW_FORMULA Value<V> value(int64_t i, Rows<V> work, Rows<V> values, BlockGate<V> gate, V x) const {
    Rows<V> base = work, below = work.from(base_rows), slopes = below.from(widest);
    V z = x, rise(T(1)), size(T(0));
    for (int l = 0; l < layers; ++l) {
      const BlockLayer<T>& own = layer[l];
      const int64_t inputs = before(l);
      const T* w = own.weight + i * own.units * own.ld + i * inputs;
      const Rows<V> from = values.from(l == 0 ? 0 : layer[l - 1].first + i * inputs);
      const Rows<V> to = values.from(own.first + i * own.units);
      for (int64_t u = 0; u < own.units; ++u, w += own.ld) {
        z = base[u];
        rise = V(T(0));
        size = abs(z);
        for (int64_t k = 0; k < inputs; ++k) {
          const V weight(w[k]), h = l == 0 ? x : from[k];
          z = fma(weight, h, z);
          if (l + 1 == layers) size = fma(weight, abs(h), size);
          rise = l == 0 ? weight : fma(weight, below[k], rise);
        }
        if (l + 1 == layers) break;
        // tanh′(z) = 4e/(1 + e)² with e = exp(−2|z|): 1 − tanh² would cancel.
        const V e = exp(V(T(-2)) * abs(z)), over = V(T(1)) / (V(T(1)) + e);
        to.set(u, tanh(z));
        slopes.set(u, rise * (V(T(4)) * e * over * over));
      }
      base = base.from(own.units);
      const Rows<V> swap = below;
      below = slopes;
      slopes = swap;
    }
    const V slope = fma(gate.share, rise, gate.rest);
    return {fma(gate.share, z, gate.rest * x), log(slope), gate.share * size};
  }

  // The root of dimension i; its hidden units are set to their values there.
  FLOW_FORMULA Root<V> solve(int64_t i, Rows<V> work, Rows<V> values, BlockGate<V> gate, V y) const {
    const Value<V> middle = value(i, work, values, gate, V(T(0)));
    const V gap = y - middle.y, far = gap / gate.rest;
    const V spare = (abs(far) + V(T(1))) * V(solved_to<T>);
    const V low = min(V(T(0)), far) - spare, high = max(V(T(0)), far) + spare;
    const Root<V> root = solve_increasing<T>(y, low, high, gap * exp(-middle.log_slope),
                                             [&](V x) { return value(i, work, values, gate, x); });
    value(i, work, values, gate, root.x);
    return root;
  }
};

}  // namespace flow::FLOW_ISA
