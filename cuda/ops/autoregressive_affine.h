// What the four autoregressive affine ops share: operands, the choice of the scale map, and a pass over rows of pairs.
//
// Floor: every operand once: forward and inverse 4·D numbers a row and its log-determinant. Lanes of a warp share a row; params, pairs
// (mu, raw), are moved by 16 bytes where they are aligned, x and y by 16 where D is a multiple of four.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
// These come after the functions that they call.
#include "math/autoregressive_affine.h"
#include "ops/scale_map_operands.h"

namespace flow::cuda {

/** Calls body(columns of a unit, numbers of params at once), both constants, for operands x of the width of a row. */
template <class T, class F>
bool with_pairs(const Width<T>& x, const Width<T>& params, const F& body) {
  return x.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value, most = Width<T>::most, pairs = 2 * W < most ? 2 * W : most;
    if (params.value() >= pairs) return body(tag, typename Width<T>::template Tag<pairs>{});
    return body(typename Width<T>::template Tag<1>{}, typename Width<T>::template Tag<1>{});
  });
}

template <int W, int P, ScaleMap map, bool inverse, class T>
struct AffinePass {
  Matrix<const T> in, params;
  Matrix<T> out;
  T bound, inverse_bound;

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ double operator()(Nothing, int64_t row, int64_t unit) const {
    T value[W], pairs[2 * W];
    load<W>(value, in.at(row, unit * W));
    load<P>(pairs, params.at(row, 2 * unit * W));
    double sum = 0;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const T a = log_scale<map>(pairs[2 * k + 1], bound, inverse_bound);
      value[k] = inverse ? affine_inverse<map>(value[k], pairs[2 * k], a) : affine_forward<map>(value[k], pairs[2 * k], a);
      if constexpr (map != ScaleMap::additive) sum += static_cast<double>(a);
    }
    store<W>(out.at(row, unit * W), value);
    return sum;
  }
};

/** out, log_det ← formula(in, params): inverse ? affine_inverse : affine_forward. */
template <bool inverse>
bool run_autoregressive_affine(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &out = call.out[0], &log_det = call.out[1];
  if (!check_like(call, params, "params", in, 2 * in.cols) || !check_like(call, out, "out", in, in.cols) ||
      !check_log_det(call, log_det, "logDet", in.rows))
    return false;
  return with_float(call, in, "x", [&](auto zero) {
    using T = decltype(zero);
    return with_scale_map(call, 0, [&](auto map, double bound) {
      return with_pairs(Width<T>().of(in).of(out).columns(in.cols), Width<T>().of(params), [&](auto width, auto pairs) {
        constexpr int W = decltype(width)::value, P = decltype(pairs)::value;
        const AffinePass<W, P, decltype(map)::value, inverse, T> pass{matrix<const T>(in), matrix<const T>(params), matrix<T>(out),
                                                                     static_cast<T>(bound), static_cast<T>(1 / bound)};
        return sum_samples(call, in.rows, in.cols / W, pass, SampleSums{vector<double>(log_det), !inverse});
      });
    });
  });
}

template <int W, int P, ScaleMap map, bool inverse, class T>
struct AffineGradient {
  Matrix<const T> params, y, d_out;
  Vector<const double> d_log_det;
  Matrix<T> d_in, d_params;
  T bound, inverse_bound;

  __device__ __forceinline__ T sample(int64_t row) const { return d_log_det.p ? static_cast<T>(*d_log_det.at(row)) : T(0); }
  __device__ __forceinline__ void operator()(T d_sum, int64_t row, int64_t unit) const {
    T value[W], pairs[2 * W], d[W] = {};
    load<W>(value, y.at(row, unit * W));
    load<P>(pairs, params.at(row, 2 * unit * W));
    if (d_out.p) load<W>(d, d_out.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const T raw = pairs[2 * k + 1], a = log_scale<map>(raw, bound, inverse_bound);
      T d_value, d_mu, d_a;
      if constexpr (inverse) affine_inverse_grad<map>(value[k], pairs[2 * k], a, d[k], d_sum, d_value, d_mu, d_a);
      else affine_forward_grad<map>(value[k], pairs[2 * k], a, d[k], d_sum, d_value, d_mu, d_a);
      d[k] = d_value;
      pairs[2 * k] = d_mu;
      pairs[2 * k + 1] = d_a * log_scale_slope<map>(raw, a, inverse_bound);
    }
    store<W>(d_in.at(row, unit * W), d);
    store<P>(d_params.at(row, 2 * unit * W), pairs);
  }
};

/** The operands: check_autoregressive_affine_grad. */
template <bool inverse>
bool run_autoregressive_affine_grad(const Call& call) {
  const Operand &params = call.in[0], &y = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  const Operand &d_in = call.out[0], &d_params = call.out[1];
  if (!check_autoregressive_affine_grad(call)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    return with_scale_map(call, 0, [&](auto map, double bound) {
      const auto x_width = Width<T>().of(y).of(d_out).of(d_in).columns(y.cols);
      return with_pairs(x_width, Width<T>().of(params).of(d_params), [&](auto width, auto pairs) {
        constexpr int W = decltype(width)::value, P = decltype(pairs)::value;
        const AffineGradient<W, P, decltype(map)::value, inverse, T> pass{
            matrix<const T>(params), matrix<const T>(y), matrix<const T>(d_out), vector<const double>(d_log_det),
            matrix<T>(d_in),         matrix<T>(d_params), static_cast<T>(bound), static_cast<T>(1 / bound)};
        return walk_samples(call, y.rows, y.cols / W, pass);
      });
    });
  });
}

}  // namespace flow::cuda
