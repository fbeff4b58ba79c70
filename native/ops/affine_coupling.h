// What the four affine coupling ops share: which elements are transformed, the choice of the scale map, a pass over rows.
//
// A sample has `positions` rows of x. Columns start … start + count − 1 are transformed and the others copied; with a
// checkerboard (width > 0) all columns of the positions (h, w), h + w even or odd as `parity` says. Params stand as
// [shift | raw], count columns each (additive: shift only), a row a row of x.
//
// Attributes: scale map, bound, start, positions, width (0: by columns), parity.
#pragma once
#include "ops/elementwise.h"
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "ops/log_det.h"
#include "simd/math.h"
#include "simd/prefetch.h"
// These come after the functions that they call.
#include "math/affine_coupling.h"
#include "ops/coupling_operands.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t large_bytes = 4 << 20;  // a tensor that no near cache holds
inline constexpr int64_t ahead_bytes = 8 << 10;  // how far ahead of their use its rows are asked for

template <class T>
CouplingBound<Vec<T>> coupling_bound(const Call& call) {
  constexpr double two_over_pi = 0.63661977236758134;
  return {Vec<T>(static_cast<T>(1 / call.attr[1])), Vec<T>(static_cast<T>(call.attr[1] * two_over_pi))};
}

// Which rows are transformed, one row after the other.
class RowPattern {
 public:
  RowPattern(const Coupling& coupling, int64_t row) : width_(coupling.width), height_(1) {
    if (!coupling.checkerboard()) return;
    height_ = coupling.positions / width_;
    const int64_t position = row % coupling.positions;
    h_ = position / width_;
    w_ = position % width_;
    parity_ = coupling.parity;
  }
  // Whether the row is transformed; then goes on to the next.
  FLOW_INLINE bool next() {
    if (width_ == 0) return true;
    const bool is = ((h_ + w_) & 1) == parity_;
    if (++w_ == width_) {
      w_ = 0;
      if (++h_ == height_) h_ = 0;
    }
    return is;
  }

 private:
  int64_t width_, height_, h_ = 0, w_ = 0, parity_ = 0;
};

template <class T>
FLOW_INLINE void copy_lanes(T* to, const T* from, int64_t count) {
  for_lanes<Vec<T>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA { store_live(to + i, load_live(from + i, live), live); });
}

// What a row costs, in bytes moved: exp and tanh take about as long as eight reads and writes, and a short row as long as a
// whole register.
template <class T>
int64_t coupling_cost(const Coupling& coupling, int64_t cols) {
  return (2 * cols + max_of(coupling.count, Vec<T>::width) * 8) * int64_t{sizeof(T)};
}

// out, log_det ← formula(in, params).
template <bool inverse>
bool run_affine_coupling(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &gain = call.in[2];
  const Operand &out = call.out[0], &log_det = call.out[1];
  Coupling coupling;
  if (!read_coupling(call, in, params, gain, coupling) || !check_like(call, out, "out", in, in.cols) ||
      !check_log_det(call, log_det, "logDet", in.rows / coupling.positions))
    return false;
  return with_float(call, in, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_coupling_scale(call, [&](auto tag) {
      constexpr CouplingScale map = decltype(tag)::value;
      // The sum of log s over the rows first … last of one sample.
      auto pass = [&](int64_t first, int64_t last) {
        const CouplingBound<V> bound = coupling_bound<T>(call);
        const Coupling c = coupling;
        const int64_t cols = in.cols, end = c.start + c.count;
        const T* gains = gain.as<T>();
        RowPattern pattern(c, first);
        LogDetSum sum;
        for (int64_t r = first; r < last; ++r) {
          const T* x = in.as<T>() + r * in.ld;
          const T* p = params.as<T>() + r * params.ld;
          T* y = out.as<T>() + r * out.ld;
          if (!pattern.next()) {
            copy_lanes(y, x, cols);
            continue;
          }
          copy_lanes(y, x, c.start);
          for_lanes<V>(c.count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
            V log_s, factor, raw(T(0)), by(T(1));
            if constexpr (map != CouplingScale::additive) raw = load_live(p + c.count + i, live);
            if constexpr (map == CouplingScale::tanh) by = gains ? load_live(gains + i, live) : by;
            coupling_scale<map, inverse>(raw, by, bound, log_s, factor);
            const V value = load_live(x + c.start + i, live), shift = load_live(p + i, live);
            store_live(y + c.start + i, coupling_apply<inverse>(value, shift, factor), live);
            // The lanes beyond the row hold log s of raw = 0, which is not 0 for σ.
            if constexpr (is_sigmoid<map>) log_s = live == V::width ? log_s : first_lanes(log_s, live);
            if constexpr (map != CouplingScale::additive) sum.add(log_s);
          });
          copy_lanes(y + end, x + end, cols - end);
        }
        return sum;
      };
      sum_by_sample(in.rows / coupling.positions, coupling.positions, coupling_cost<T>(coupling, in.cols),
                    vector_view<double>(log_det), inverse ? -1.0 : 1.0, pass);
      return true;
    });
  });
}

// The operands: read_coupling_grad.
template <bool inverse>
bool run_affine_coupling_grad(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &gain = call.in[2];
  const Operand &d_out = call.in[3], &d_log_det = call.in[4];
  const Operand &d_in = call.out[0], &d_params = call.out[1], &d_gain = call.out[2];
  Coupling coupling;
  if (!read_coupling_grad(call, coupling)) return false;
  const int64_t count = coupling.count;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    const int64_t chunk = max_of(1, task_bytes / (2 * coupling_cost<T>(coupling, x.cols)));
    const int64_t tasks = ceil_div(x.rows, chunk), padded = ceil_div(count, V::width) * V::width;
    // Rows of which a half is skipped: the hardware does not see a stream in them (beyond the caches 72 → 37 ns a row of 64).
    const int64_t row_bytes = x.cols * int64_t{sizeof(T)};
    const bool is_large = x.rows * row_bytes > large_bytes && !coupling.checkerboard();
    const int64_t ahead = is_large ? ceil_div(ahead_bytes, row_bytes) : 0;
    // The gradient of the gain: sums of a task in T, the tasks in float64, in order.
    T* sums = d_gain.absent() ? nullptr : static_cast<T*>(scratch(static_cast<size_t>(max_of(1, tasks * padded)) * sizeof(T), 4));
    const bool done = with_coupling_scale(call, [&](auto tag) {
      constexpr CouplingScale map = decltype(tag)::value;
      parallel(tasks, [&](int64_t task) {
        const CouplingBound<V> bound = coupling_bound<T>(call);
        const Coupling c = coupling;
        const int64_t first = task * chunk, last = min_of(x.rows, first + chunk), cols = x.cols, end = c.start + c.count;
        const T* gains = gain.as<T>();
        const VectorView<double> by_log_det = vector_view<double>(d_log_det);
        T* own = sums ? sums + task * padded : nullptr;
        if (own) __builtin_memset(own, 0, static_cast<size_t>(padded) * sizeof(T));
        RowPattern pattern(c, first);
        int64_t sample = first / c.positions, left = c.positions - first % c.positions;
        for (int64_t r = first; r < last; ++r, --left) {
          if (left == 0) ++sample, left = c.positions;
          const T* data = x.as<T>() + r * x.ld;
          const T* p = params.as<T>() + r * params.ld;
          const T* from = d_out.absent() ? nullptr : d_out.as<T>() + r * d_out.ld;
          T* to = d_in.absent() ? nullptr : d_in.as<T>() + r * d_in.ld;
          T* to_params = d_params.absent() ? nullptr : d_params.as<T>() + r * d_params.ld;
          if (ahead) {
            if constexpr (map != CouplingScale::additive) prefetch_to_read(p + ahead * params.ld + c.count, c.count);
            prefetch_to_read(data + ahead * x.ld + c.start, c.count);
          }
          auto pass_on = [&](int64_t begin, int64_t n) {
            if (!to) return;
            if (from)
              copy_lanes(to + begin, from + begin, n);
            else
              __builtin_memset(to + begin, 0, static_cast<size_t>(n) * sizeof(T));
          };
          if (!pattern.next()) {
            pass_on(0, cols);
            if (to_params) __builtin_memset(to_params, 0, static_cast<size_t>(params.cols) * sizeof(T));
            continue;
          }
          const V d_sum(d_log_det.absent() ? T(0) : static_cast<T>(by_log_det[sample]));
          pass_on(0, c.start);
          for_lanes<V>(c.count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
            V factor, by_raw, by_gain, raw(T(0)), by(T(1)), d_value, d_shift, d_log_s;
            if constexpr (map != CouplingScale::additive) raw = load_live(p + c.count + i, live);
            if constexpr (map == CouplingScale::tanh) by = gains ? load_live(gains + i, live) : by;
            coupling_slope<map, inverse>(raw, by, bound, factor, by_raw, by_gain);
            const V d = from ? load_live(from + c.start + i, live) : V(T(0));
            coupling_grad<inverse>(load_live(data + c.start + i, live), factor, d, d_sum, d_value, d_shift, d_log_s);
            if (to) store_live(to + c.start + i, d_value, live);
            if (to_params) {
              store_live(to_params + i, d_shift, live);
              if constexpr (map != CouplingScale::additive) store_live(to_params + c.count + i, d_log_s * by_raw, live);
            }
            if constexpr (map == CouplingScale::tanh)
              if (own) store(own + i, load<V>(own + i) + d_log_s * by_gain);
          });
          pass_on(end, cols - end);
        }
      });
      return true;
    });
    if (!sums) return done;
    T* total = d_gain.as<T>();
    for (int64_t i = 0; i < count; ++i) {
      double sum = 0;
      for (int64_t task = 0; task < tasks; ++task) sum += static_cast<double>(sums[task * padded + i]);
      total[i] = static_cast<T>(sum);
    }
    return done;
  });
}

}  // namespace flow::FLOW_ISA
