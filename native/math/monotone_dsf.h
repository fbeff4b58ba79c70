// Deep (dense) sigmoidal flows: Huang, Krueger, Lacoste, Courville, "Neural Autoregressive Flows" (2018), eq. 8 and 10–11.
// A layer from I to O numbers through K sigmoids:
//
//   z_k = Σ_i u_ki·h_i      u = softmax over i of a row of raw weights; none where I = 1
//   c_k = a_k·z_k + b_k     a = softplus(raw) + least
//   s_o = Σ_k w_ok·σ(c_k)   w = softmax over k
//   out_o = log s_o − log(1 − s_o)
//
// One layer with I = O = 1 is the DSF. s and 1 − s are both sums of positive terms, taken as log-sum-exp: no epsilon keeps
// them from 0, and far outside out follows the smallest slope: it is a bijection of the whole line. With lg_i = log dh_i/dx,
//
//   log dc_k/dx = log a_k + LSE_i(log u_ki + lg_i)
//   log dout_o/dx = LSE_k(log w_ok + log σ(c_k) + log σ(−c_k) + log dc_k/dx) − log s_o − log(1 − s_o).
//
// Since out_o is between the least and the largest c_k, and z_k between those of h, the roots of out(x) = y are bracketed:
// from the last layer to the first, t ← max_k (t − b_k)/a_k gives an upper bound of x, min_k a lower one.
//
// Parameters of a layer: a (K), b (K), w (O × K), u (K × I, where I > 1); the layers one after the other.
#pragma once
#include "math/rows.h"
#include "math/solve.h"

namespace flow::FLOW_ISA {

template <class V>
struct Dsf {
  using T = lane_t<V>;
  int64_t hidden;  // K
  int64_t layers;
  T least;         // the smallest slope a

  FLOW_FORMULA int64_t inputs(int64_t layer) const { return layer == 0 ? 1 : hidden; }
  FLOW_FORMULA int64_t outputs(int64_t layer) const { return layer + 1 == layers ? 1 : hidden; }
  FLOW_FORMULA int64_t params() const {
    int64_t count = 0;
    for (int64_t l = 0; l < layers; ++l) count += layer_params(l);
    return count;
  }
  FLOW_FORMULA int64_t layer_params(int64_t l) const {
    return hidden * (2 + outputs(l) + (l > 0 ? inputs(l) : 0));
  }
  // a, log a, log w, u, log u as `prepare` leaves them; then what `value` leaves for `grad`; then two vectors of
  // gradients by the numbers between the layers.
  FLOW_FORMULA int64_t layer_work(int64_t l) const {
    const int64_t I = inputs(l), O = outputs(l);
    return hidden * (2 + O + (l > 0 ? 2 * I : 0)) + 2 * I + 4 * hidden + 3 * O;
  }
  FLOW_FORMULA int64_t work() const {
    int64_t count = 4 * hidden;
    for (int64_t l = 0; l < layers; ++l) count += layer_work(l);
    return count;
  }

  // The parts of one layer.
  struct Layer {
    int64_t I, O;
    Rows<V> raw_a, b, raw_w, raw_u;
    Rows<V> a, log_a, log_w, u, log_u;
    Rows<V> h, lg, z, lz, c, lc, log_s, log_rest, log_t;
  };
  FLOW_FORMULA Layer layer(int64_t l, Rows<V> raw, Rows<V> work) const {
    for (int64_t k = 0; k < l; ++k) {
      raw = raw.from(layer_params(k));
      work = work.from(layer_work(k));
    }
    const int64_t K = hidden;
    Layer p;
    p.I = inputs(l);
    p.O = outputs(l);
    const auto take = [](Rows<V>& rows, int64_t count) {
      const Rows<V> first = rows;
      rows = rows.from(count);
      return first;
    };
    const int64_t U = l > 0 ? K * p.I : 0;
    p.raw_a = take(raw, K), p.b = take(raw, K), p.raw_w = take(raw, p.O * K), p.raw_u = take(raw, U);
    p.a = take(work, K), p.log_a = take(work, K), p.log_w = take(work, p.O * K), p.u = take(work, U), p.log_u = take(work, U);
    p.h = take(work, p.I), p.lg = take(work, p.I);
    p.z = take(work, K), p.lz = take(work, K), p.c = take(work, K), p.lc = take(work, K);
    p.log_s = take(work, p.O), p.log_rest = take(work, p.O), p.log_t = take(work, p.O);
    return p;
  }

  // log-softmax of n numbers.
  static FLOW_FORMULA void log_softmax(Rows<V> raw, int64_t n, Rows<V> log_w) {
    V most = raw[0];
    for (int64_t k = 1; k < n; ++k) most = max(most, raw[k]);
    V sum(T(0));
    for (int64_t k = 0; k < n; ++k) sum += exp(raw[k] - most);
    const V lse = most + log(sum);
    for (int64_t k = 0; k < n; ++k) log_w.set(k, raw[k] - lse);
  }

  FLOW_FORMULA void prepare(Rows<V> raw, Rows<V> work) const {
    for (int64_t l = 0; l < layers; ++l) {
      const Layer p = layer(l, raw, work);
      for (int64_t k = 0; k < hidden; ++k) {
        const V a = softplus(p.raw_a[k]) + V(least);
        p.a.set(k, a);
        p.log_a.set(k, log(a));
        if (l == 0) continue;
        log_softmax(p.raw_u.from(k * p.I), p.I, p.log_u.from(k * p.I));
        for (int64_t i = k * p.I; i < (k + 1) * p.I; ++i) p.u.set(i, exp(p.log_u[i]));
      }
      for (int64_t o = 0; o < p.O; ++o) log_softmax(p.raw_w.from(o * hidden), hidden, p.log_w.from(o * hidden));
    }
  }

  FLOW_FORMULA Value<V> value(Rows<V> raw, Rows<V> work, V x) const {
    const int64_t K = hidden;
    V out = x, log_slope(T(0)), size(T(0));
    for (int64_t l = 0; l < layers; ++l) {
      const Layer p = layer(l, raw, work);
      if (l == 0) {
        p.h.set(0, x);
        p.lg.set(0, V(T(0)));
      }
      for (int64_t k = 0; k < K; ++k) {
        V z = p.h[0], lz = p.lg[0];
        if (l > 0) {
          V most = p.log_u[k * p.I] + p.lg[0];
          z = V(T(0));
          for (int64_t i = 0; i < p.I; ++i) {
            z = fma(p.u[k * p.I + i], p.h[i], z);
            most = max(most, p.log_u[k * p.I + i] + p.lg[i]);
          }
          V sum(T(0));
          for (int64_t i = 0; i < p.I; ++i) sum += exp(p.log_u[k * p.I + i] + p.lg[i] - most);
          lz = most + log(sum);
        }
        const V az = p.a[k] * z, b = p.b[k];
        size = max(size, abs(az) + abs(b));
        p.z.set(k, z);
        p.lz.set(k, lz);
        p.c.set(k, az + b);
        p.lc.set(k, p.log_a[k] + lz);
      }
      for (int64_t o = 0; o < p.O; ++o) {
        const Rows<V> log_w = p.log_w.from(o * K);
        V up(-layout_infinity<T>), down = up, both = up;
        for (int64_t k = 0; k < K; ++k) {
          const V c = p.c[k], lw = log_w[k];
          up = max(up, lw + min(V(T(0)), c));
          down = max(down, lw + min(V(T(0)), -c));
          both = max(both, lw + p.lc[k] - abs(c));
        }
        V s(T(0)), rest(T(0)), t(T(0));
        for (int64_t k = 0; k < K; ++k) {
          const V c = p.c[k], lw = log_w[k];
          const V r = V(T(1)) / (V(T(1)) + exp(-abs(c)));
          s = fma(exp(lw + min(V(T(0)), c) - up), r, s);
          rest = fma(exp(lw + min(V(T(0)), -c) - down), r, rest);
          t = fma(exp(lw + p.lc[k] - abs(c) - both), r * r, t);
        }
        const V log_s = up + log(s), log_rest = down + log(rest), log_t = both + log(t);
        p.log_s.set(o, log_s);
        p.log_rest.set(o, log_rest);
        p.log_t.set(o, log_t);
        out = log_s - log_rest;
        log_slope = log_t - log_s - log_rest;
        if (l + 1 < layers) {
          const Layer next = layer(l + 1, raw, work);
          next.h.set(o, out);
          next.lg.set(o, log_slope);
        }
      }
    }
    return {out, log_slope, size};
  }

  FLOW_FORMULA void bracket(Rows<V> raw, Rows<V> work, V y, V& low, V& high, V& start) const {
    low = high = y;
    for (int64_t l = layers - 1; l >= 0; --l) {
      const Layer p = layer(l, raw, work);
      V least_of(layout_infinity<T>), most_of(-layout_infinity<T>);
      for (int64_t k = 0; k < hidden; ++k) {
        least_of = min(least_of, (low - p.b[k]) / p.a[k]);
        most_of = max(most_of, (high - p.b[k]) / p.a[k]);
      }
      // The division rounds, and so does the function.
      low = least_of - (abs(least_of) + V(T(1))) * V(solved_to<T>);
      high = most_of + (abs(most_of) + V(T(1))) * V(solved_to<T>);
    }
    start = low + (high - low) * V(T(0.5));
  }

  // After `value` at x: dL_dx and the gradients by the raw parameters, of dL_dy and the gradient dL_dl by log dy/dx.
  FLOW_FORMULA V grad(Rows<V> raw, Rows<V> work, V x, V dL_dy, V dL_dl, Rows<V> dL_draw) const {
    (void)x;
    const int64_t K = hidden;
    Rows<V> spare = work;
    for (int64_t l = 0; l < layers; ++l) spare = spare.from(layer_work(l));
    // By the outputs of the layer and their log-slopes, and by its inputs.
    Rows<V> d_out = spare, dl_out = spare.from(K), d_in = spare.from(2 * K), dl_in = spare.from(3 * K);
    d_out.set(0, dL_dy);
    dl_out.set(0, dL_dl);
    V dL_dx(T(0));
    for (int64_t l = layers - 1; l >= 0; --l) {
      const Layer p = layer(l, raw, work);
      Rows<V> d = dL_draw;
      for (int64_t k = 0; k < l; ++k) d = d.from(layer_params(k));
      for (int64_t i = 0; i < p.I; ++i) {
        d_in.set(i, V(T(0)));
        dl_in.set(i, V(T(0)));
      }
      for (int64_t k = 0; k < K; ++k) {
        const V c = p.c[k];
        const V e = exp(-abs(c)), r = V(T(1)) / (V(T(1)) + e);
        const V plus = select(c < V(T(0)), e * r, r), minus = select(c < V(T(0)), r, e * r);
        V dc(T(0)), dlc(T(0));
        for (int64_t o = 0; o < p.O; ++o) {
          const V lw = p.log_w[o * K + k], g = d_out[o], gl = dl_out[o];
          // Shares of term k in s, in 1 − s and in the slope.
          const V in_s = exp(lw + min(V(T(0)), c) - p.log_s[o]) * r;
          const V in_rest = exp(lw + min(V(T(0)), -c) - p.log_rest[o]) * r;
          const V in_t = exp(lw + p.lc[k] - abs(c) - p.log_t[o]) * (r * r);
          const V from_s = in_s * minus, from_rest = in_rest * plus;
          dc += g * (from_s + from_rest) + gl * (in_t * (minus - plus) - from_s + from_rest);
          dlc += gl * in_t;
          d.set(2 * K + o * K + k, g * (in_s - in_rest) + gl * (in_t - in_s - in_rest + exp(lw)));
        }
        const V a = p.a[k], dz = a * dc;
        d.set(k, (p.z[k] * dc + dlc / a) * sigmoid(p.raw_a[k]));
        d.set(K + k, dc);
        if (l == 0) {
          dL_dx += dz;
          continue;
        }
        for (int64_t i = 0; i < p.I; ++i) {
          const int64_t ki = k * p.I + i;
          const V u = p.u[ki], share = exp(p.log_u[ki] + p.lg[i] - p.lz[k]);
          d_in.set(i, fma(u, dz, d_in[i]));
          dl_in.set(i, fma(share, dlc, dl_in[i]));
          d.set((2 + p.O) * K + ki, dz * u * (p.h[i] - p.z[k]) + dlc * (share - u));
        }
      }
      const Rows<V> a = d_out, b = dl_out;
      d_out = d_in, dl_out = dl_in, d_in = a, dl_in = b;
    }
    return dL_dx;
  }
};

}  // namespace flow::FLOW_ISA
