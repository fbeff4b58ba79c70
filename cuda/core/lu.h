// A matrix by its triangles (native/ops/lu_operands.h) in a kernel: what the lu ops share. That rows is a permutation is not looked at: a
// place outside of the matrix is taken as its first or last row.
#pragma once
#include "cuda/core/linear.h"
#include "ops/lu_operands.h"

namespace flow::cuda {

template <class S>
struct LuFactors {
  const S* factors;
  int64_t ld, n;
  const S* log_scale;
  const S* sign;
  const int32_t* rows;
  LuForm form;

  __device__ __forceinline__ double diagonal(int64_t i) const {
    if (!log_scale) return static_cast<double>(factors[i * (ld + 1)]);
    return static_cast<double>(sign[i]) * exp(static_cast<double>(log_scale[i]));
  }
  __device__ __forceinline__ int64_t row(int64_t i) const {
    if (!rows) return i;
    const int64_t at = rows[i];
    return at < 0 ? 0 : at < n ? at : n - 1;
  }
  /** L (or L₀ + diag(s)), and U + diag(s). */
  __device__ __forceinline__ S lower(int64_t i, int64_t k) const {
    if (k < i) return factors[i * ld + k];
    if (k > i) return S(0);
    return form == LuForm::lu ? S(1) : static_cast<S>(diagonal(i));
  }
  __device__ __forceinline__ S upper(int64_t i, int64_t k) const {
    if (k > i) return factors[i * ld + k];
    return k < i ? S(0) : static_cast<S>(diagonal(i));
  }
};

template <class S>
LuFactors<S> in_kernel(const LuOperands& lu) {
  return {lu.factors->as<const S>(), lu.factors->ld, lu.n, lu.log_scale->as<const S>(), lu.sign->as<const S>(),
          lu.rows->as<const int32_t>(), lu.form};
}

/** Thread i < n: own[j·n] ← unknown j of W·x = the i-th row of the identity, or of W'·x. */
template <class S>
__device__ __forceinline__ void solve_unit(const LuFactors<S>& lu, bool transpose, int64_t i, double* own) {
  const int64_t n = lu.n;
  const bool has_lower = lu.form != LuForm::upper, has_upper = lu.form != LuForm::lower;
  const bool unit = lu.form == LuForm::lu;
  for (int64_t j = 0; j < n; ++j) own[j * n] = (transpose ? j : lu.row(j)) == i ? 1 : 0;
  // Forward with L, or with Ũ'; backward with Ũ, or with L'.
  if (transpose ? has_upper : has_lower)
    for (int64_t j = 0; j < n; ++j) {
      double sum = own[j * n];
      for (int64_t k = 0; k < j; ++k) sum -= static_cast<double>(lu.factors[transpose ? k * lu.ld + j : j * lu.ld + k]) * own[k * n];
      own[j * n] = !transpose && unit ? sum : sum / lu.diagonal(j);
    }
  if (transpose ? has_lower : has_upper)
    for (int64_t j = n - 1; j >= 0; --j) {
      double sum = own[j * n];
      for (int64_t k = j + 1; k < n; ++k) sum -= static_cast<double>(lu.factors[transpose ? k * lu.ld + j : j * lu.ld + k]) * own[k * n];
      own[j * n] = transpose && unit ? sum : sum / lu.diagonal(j);
    }
}

}  // namespace flow::cuda
