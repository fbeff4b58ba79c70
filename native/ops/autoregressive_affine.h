// What the four autoregressive affine ops share: operands, the choice of the scale map, and a pass over rows of pairs.
#pragma once
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "ops/log_det.h"
#include "simd/math.h"
#include "simd/shuffle.h"
// These come after the functions that they call.
#include "math/autoregressive_affine.h"
#include "ops/scale_map_operands.h"

namespace flow::FLOW_ISA {

// `live` pairs from p.
template <class T>
FLOW_INLINE void load_some_pairs(const T* p, Vec<T>& even, Vec<T>& odd, int live) {
  constexpr int w = Vec<T>::width;
  if (live == w) return load_pairs(p, even, odd);
  const int n = 2 * live;
  deinterleave(load_partial<Vec<T>>(p, n < w ? n : w), load_partial<Vec<T>>(p + (n < w ? 0 : w), n < w ? 0 : n - w),
               even, odd, make_sequence<w>{});
}
template <class T>
FLOW_INLINE void store_some_pairs(T* p, Vec<T> even, Vec<T> odd, int live) {
  constexpr int w = Vec<T>::width;
  if (live == w) return store_pairs(p, even, odd);
  const int n = 2 * live;
  Vec<T> a, b;
  interleave(even, odd, a, b, make_sequence<w>{});
  store_partial(p, a, n < w ? n : w);
  if (n > w) store_partial(p + w, b, n - w);
}

// What a row costs, in bytes moved: exp and tanh take about as long as eight reads and writes, and a short row as long as a
// whole register.
template <class T>
int64_t row_cost(int64_t cols) {
  return max_of(cols, Vec<T>::width) * int64_t{8 * sizeof(T)};
}

// Rows shorter than a register: where they lie without gaps they are taken together, as one long row.
template <class T>
bool is_narrow(const Operand& x) {
  return x.cols < Vec<T>::width && x.cols > 0;
}

// out, log_det ← formula(in, params): inverse ? affine_inverse : affine_forward.
template <bool inverse>
bool run_autoregressive_affine(const Call& call) {
  const Operand& in = call.in[0];
  const Operand& params = call.in[1];
  const Operand& out = call.out[0];
  const Operand& log_det = call.out[1];
  if (!check_like(call, params, "params", in, 2 * in.cols) || !check_like(call, out, "out", in, in.cols) ||
      !check_log_det(call, log_det, "logDet", in.rows))
    return false;
  return with_float(call, in, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_scale_map(call, 0, [&](auto tag, double bound) {
      constexpr ScaleMap map = decltype(tag)::value;
      const VectorView<double> sums = vector_view<double>(log_det);
      parallel_rows(in.rows, row_cost<T>(in.cols), [&](int64_t first, int64_t last) {
        // Own copies: what is captured by reference would be read again after each store.
        const V limit(static_cast<T>(bound)), inverse_limit(static_cast<T>(1 / bound));
        const int64_t cols = in.cols;
        // n elements side by side; `logs`, where there are any, gets a of each, up to a whole register.
        auto span = [&](const T* x, const T* p, T* y, int64_t n, LogDetSum* sum, T* logs) FLOW_INLINE_LAMBDA {
          for (int64_t c = 0; c < n; c += V::width) {
            const int live = static_cast<int>(min_of(V::width, n - c));
            V mu, raw;
            load_some_pairs(p + 2 * c, mu, raw, live);
            V a = log_scale<map>(raw, limit, inverse_limit);
            const V value = load_live(x + c, live);
            store_live(y + c, inverse ? affine_inverse<map>(value, mu, a) : affine_forward<map>(value, mu, a), live);
            // Of raw = 0, in the lanes beyond the row, a is 0; but for the gate.
            if (map == ScaleMap::gate && live < V::width) a = first_lanes(a, live);
            if (sum) sum->add(a);
            if (logs) store(logs + c, a);
          }
        };
        auto row_of = [&](const Operand& operand, int64_t r) { return operand.as<T>() + r * operand.ld; };
        auto put = [&](int64_t r, double total) { sums[r] = inverse ? total : 0.0 - total; };  // never −0
        int64_t r = first;
        if (is_narrow<T>(in) && in.ld == cols && params.ld == 2 * cols && out.ld == cols) {
          constexpr int64_t w = Vec<double>::width;
          T logs[(w + 1) * V::width];
          for (; r + w <= last; r += w) {
            span(row_of(in, r), row_of(params, r), row_of(out, r), w * cols, nullptr, logs);
            Vec<double> lanes[w];
            double totals[w];
            for (int64_t i = 0; i < w; ++i) {
              LogDetSum sum;
              sum.add(load_partial<V>(logs + i * cols, static_cast<int>(cols)));
              lanes[i] = sum.lanes();
            }
            sum_lanes(lanes, totals);
            for (int64_t i = 0; i < w; ++i) put(r + i, totals[i]);
          }
        }
        for (; r < last; ++r) {
          LogDetSum sum;
          span(row_of(in, r), row_of(params, r), row_of(out, r), cols, &sum, nullptr);
          put(r, sum.total());
        }
      });
      return true;
    });
  });
}

// The operands: check_autoregressive_affine_grad.
template <bool inverse>
bool run_autoregressive_affine_grad(const Call& call) {
  const Operand& params = call.in[0];
  const Operand& y = call.in[1];
  const Operand& d_out = call.in[2];
  const Operand& d_log_det = call.in[3];
  const Operand& d_in = call.out[0];
  const Operand& d_params = call.out[1];
  if (!check_autoregressive_affine_grad(call)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_scale_map(call, 0, [&](auto tag, double bound) {
      constexpr ScaleMap map = decltype(tag)::value;
      parallel_rows(y.rows, 2 * row_cost<T>(y.cols), [&](int64_t first, int64_t last) {
        const V limit(static_cast<T>(bound)), inverse_limit(static_cast<T>(1 / bound));
        const int64_t cols = y.cols;
        // n elements side by side, with the gradient by the log-determinant in `d_sum` or, element by element, in `d_sums`.
        auto span = [&](const T* p, const T* value, const T* from, T* to, T* to_params, int64_t n, V d_sum,
                        const T* d_sums) FLOW_INLINE_LAMBDA {
          for (int64_t c = 0; c < n; c += V::width) {
            const int live = static_cast<int>(min_of(V::width, n - c));
            V mu, raw, dx, d_mu, d_a;
            load_some_pairs(p + 2 * c, mu, raw, live);
            const V a = log_scale<map>(raw, limit, inverse_limit);
            const V d = from ? load_live(from + c, live) : V(T(0));
            const V dl = d_sums ? load<V>(d_sums + c) : d_sum;
            if constexpr (inverse)
              affine_inverse_grad<map>(load_live(value + c, live), mu, a, d, dl, dx, d_mu, d_a);
            else
              affine_forward_grad<map>(load_live(value + c, live), mu, a, d, dl, dx, d_mu, d_a);
            store_live(to + c, dx, live);
            store_some_pairs(to_params + 2 * c, d_mu, d_a * log_scale_slope<map>(raw, a, inverse_limit), live);
          }
        };
        auto row_of = [&](const Operand& operand, int64_t r) {
          return operand.absent() ? nullptr : operand.as<T>() + r * operand.ld;
        };
        auto d_of = [&](int64_t r) {
          return V(d_log_det.absent() ? T(0) : static_cast<T>(vector_view<double>(d_log_det)[r]));
        };
        auto run = [&](int64_t r, int64_t n, V d_sum, const T* d_sums) FLOW_INLINE_LAMBDA {
          span(row_of(params, r), row_of(y, r), row_of(d_out, r), row_of(d_in, r), row_of(d_params, r), n, d_sum, d_sums);
        };
        int64_t r = first;
        if (is_narrow<T>(y) && y.ld == cols && (d_out.absent() || d_out.ld == cols) && d_in.ld == cols &&
            params.ld == 2 * cols && d_params.ld == 2 * cols) {
          constexpr int64_t w = 16;  // rows
          T d_sums[(w + 1) * V::width];
          for (; r + w <= last; r += w) {
            for (int64_t i = 0; i < w; ++i) store(d_sums + i * cols, d_of(r + i));
            run(r, w * cols, V(T(0)), d_sums);
          }
        }
        for (; r < last; ++r) run(r, cols, d_of(r), nullptr);
      });
      return true;
    });
  });
}

}  // namespace flow::FLOW_ISA
