// What the four affine coupling ops share: which elements are transformed, the choice of the scale map, a pass over samples.
//
// A sample has `positions` rows of x. Columns start … start + count − 1 are transformed and the others copied; with a
// checkerboard (width > 0) all columns of the positions (h, w), h + w even or odd as `parity` says. Params stand as
// [shift | raw], count columns each (additive: shift only), a row a row of x.
//
// Attributes: scale map, bound, start, positions, width (0: by columns), parity.
//
// Floor: every operand once: forward and inverse x, params of what is transformed, y, and a log-determinant a sample. Lanes of a warp
// share a small sample, blocks a large one; 16 bytes at a time where start, count and rows are multiples of these.
#pragma once
#include "cuda/core/columns.h"
#include "cuda/core/divide.h"
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
// These come after the functions that they call.
#include "math/affine_coupling.h"
#include "ops/coupling_operands.h"

namespace flow::cuda {

template <class T>
CouplingBound<T> coupling_bound(const Call& call) {
  constexpr double two_over_pi = 0.63661977236758134;
  return {static_cast<T>(1 / call.attr[1]), static_cast<T>(call.attr[1] * two_over_pi)};
}

/** The columns that a thread moves at once. */
template <class T>
Width<T> coupling_width(const Coupling& coupling, const Operand& x, const Operand& params) {
  return Width<T>().of(x).of(params).columns(x.cols).columns(coupling.start).columns(coupling.count);
}

/** What is transformed, in a kernel: units of W columns. */
template <int W>
struct CouplingPattern {
  int64_t positions, start, count, parity;
  Divisor row_units, width;
  bool checkerboard;

  CouplingPattern(const Coupling& c, int64_t cols)
      : positions(c.positions), start(c.start), count(c.count), parity(c.parity), row_units(max_of(1, cols / W)),
        width(max_of(1, c.width)), checkerboard(c.checkerboard()) {}

  /** The position of the unit of a sample, and its column. */
  __device__ __forceinline__ int64_t place(int64_t unit, int64_t& col) const {
    const int64_t position = positions == 1 ? 0 : row_units.split(unit);
    col = unit * W;
    return position;
  }
  __device__ __forceinline__ bool transforms(int64_t position, int64_t col) const {
    if (!checkerboard) return col >= start && col < start + count;
    const int64_t h = width.split(position);
    return ((h + position) & 1) == parity;
  }
};

template <int W, CouplingScale map, bool inverse, class T>
struct CouplingPass {
  Matrix<const T> in, params;
  const T* gain;  // or null
  Matrix<T> out;
  CouplingBound<T> bound;
  CouplingPattern<W> pattern;

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ double operator()(Nothing, int64_t n, int64_t unit) const {
    int64_t col;
    const int64_t position = pattern.place(unit, col), row = n * pattern.positions + position;
    T value[W];
    load<W>(value, in.at(row, col));
    double sum = 0;
    if (pattern.transforms(position, col)) {
      const int64_t own = col - pattern.start;
      T shift[W], raw[W] = {};
      load<W>(shift, params.at(row, own));
      if constexpr (map != CouplingScale::additive) load<W>(raw, params.at(row, pattern.count + own));
#pragma unroll
      for (int k = 0; k < W; ++k) {
        T by(1), log_s, factor;
        if constexpr (map == CouplingScale::tanh)
          if (gain) by = gain[own + k];
        coupling_scale<map, inverse>(raw[k], by, bound, log_s, factor);
        value[k] = coupling_apply<inverse>(value[k], shift[k], factor);
        if constexpr (map != CouplingScale::additive) sum += static_cast<double>(log_s);
      }
    }
    store<W>(out.at(row, col), value);
    return sum;
  }
};

/** out, log_det ← formula(in, params). */
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
    return with_coupling_scale(call, [&](auto map) {
      return coupling_width<T>(coupling, in, params).of(out).choose([&](auto tag) {
        constexpr int W = decltype(tag)::value;
        const CouplingPass<W, decltype(map)::value, inverse, T> pass{
            matrix<const T>(in), matrix<const T>(params), gain.as<const T>(), matrix<T>(out), coupling_bound<T>(call),
            CouplingPattern<W>(coupling, in.cols)};
        return sum_samples(call, in.rows / coupling.positions, coupling.positions * (in.cols / W), pass,
                           SampleSums{vector<double>(log_det), inverse});
      });
    });
  });
}

template <int W, CouplingScale map, bool inverse, class T>
struct CouplingGradient {
  Matrix<const T> x, params;
  const T* gain;  // or null
  Matrix<const T> d_out;
  Vector<const double> d_log_det;
  Matrix<T> d_in, d_params;
  CouplingBound<T> bound;
  CouplingPattern<W> pattern;
  Divisor positions;

  __device__ __forceinline__ T sample(int64_t n) const { return d_log_det.p ? static_cast<T>(*d_log_det.at(n)) : T(0); }
  __device__ __forceinline__ void operator()(T d_sum, int64_t n, int64_t unit) const {
    int64_t col;
    const int64_t position = pattern.place(unit, col);
    T by_gain[W];
    element(d_sum, n * pattern.positions + position, position, col, by_gain);
  }

  // The same by columns, with the sums that are the gradient of the gain.
  __device__ __forceinline__ int64_t column(int64_t unit) const { return unit * W; }
  __device__ __forceinline__ void operator()(int64_t col, int64_t row, int64_t, double (&sums)[1][W]) const {
    int64_t position = row;
    const int64_t n = positions.split(position);
    T by_gain[W] = {};
    element(sample(n), row, position, col, by_gain);
#pragma unroll
    for (int k = 0; k < W; ++k) sums[0][k] += static_cast<double>(by_gain[k]);
  }

 private:
  __device__ __forceinline__ void element(T d_sum, int64_t row, int64_t position, int64_t col, T (&by_gain)[W]) const {
    T d[W] = {};
    if (d_out.p) load<W>(d, d_out.at(row, col));
    const bool transformed = pattern.transforms(position, col);
    const int64_t own = col - pattern.start;
    if (transformed) {
      T value[W], raw[W] = {}, d_shift[W], d_raw[W];
      load<W>(value, x.at(row, col));
      if constexpr (map != CouplingScale::additive) load<W>(raw, params.at(row, pattern.count + own));
#pragma unroll
      for (int k = 0; k < W; ++k) {
        T by(1), factor, slope, slope_gain, d_value, d_log_s;
        if constexpr (map == CouplingScale::tanh)
          if (gain) by = gain[own + k];
        coupling_slope<map, inverse>(raw[k], by, bound, factor, slope, slope_gain);
        coupling_grad<inverse>(value[k], factor, d[k], d_sum, d_value, d_shift[k], d_log_s);
        d[k] = d_value;
        d_raw[k] = d_log_s * slope;
        by_gain[k] = d_log_s * slope_gain;
      }
      if (d_params.p) {
        store<W>(d_params.at(row, own), d_shift);
        if constexpr (map != CouplingScale::additive) store<W>(d_params.at(row, pattern.count + own), d_raw);
      }
    } else if (pattern.checkerboard && d_params.p) {
      const T zeros[W] = {};
      store<W>(d_params.at(row, own), zeros);
      if constexpr (map != CouplingScale::additive) store<W>(d_params.at(row, pattern.count + own), zeros);
    }
    if (d_in.p) store<W>(d_in.at(row, col), d);
  }
};

/** dL_dgain of the transformed columns. */
template <class T>
struct PutGain : FinishAlone {
  T* out;
  int64_t start, count;

  PutGain(T* to, const Coupling& coupling) : out(to), start(coupling.start), count(coupling.count) {}
  __device__ __forceinline__ void operator()(Nothing, int64_t column, const double (&sum)[1]) const {
    if (column >= start && column < start + count) out[column - start] = static_cast<T>(sum[0]);
  }
};

/** The operands: read_coupling_grad. */
template <bool inverse>
bool run_affine_coupling_grad(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &gain = call.in[2];
  const Operand &d_out = call.in[3], &d_log_det = call.in[4];
  const Operand &d_in = call.out[0], &d_params = call.out[1], &d_gain = call.out[2];
  Coupling coupling;
  if (!read_coupling_grad(call, coupling)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const PutGain<T> put(d_gain.as<T>(), coupling);
    return with_coupling_scale(call, [&](auto tag) {
      constexpr CouplingScale map = decltype(tag)::value;
      return coupling_width<T>(coupling, x, params).of(d_out).of(d_in).of(d_params).choose([&](auto width) {
        constexpr int W = decltype(width)::value;
        const CouplingGradient<W, map, inverse, T> pass{matrix<const T>(x),     matrix<const T>(params),
                                                        gain.as<const T>(),     matrix<const T>(d_out),
                                                        vector<const double>(d_log_det), matrix<T>(d_in),
                                                        matrix<T>(d_params),    coupling_bound<T>(call),
                                                        CouplingPattern<W>(coupling, x.cols), Divisor(coupling.positions)};
        if constexpr (map == CouplingScale::tanh)
          if (!d_gain.absent())
            return fold_columns<1, W>(call, x.rows, x.cols / W, pass, put);
        return walk_samples(call, x.rows / coupling.positions, coupling.positions * (x.cols / W), pass);
      });
    });
  });
}

}  // namespace flow::cuda
