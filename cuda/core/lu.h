// A matrix by its triangles: what the lu ops share.
//
//   form 0, lu:     W = P·L·(U + diag(s))      form 1, lower:  W = L₀ + diag(s)      form 2, upper:  W = U + diag(s)
//
// L unit lower, L₀ strictly lower, U strictly upper triangular; all lie in one matrix `factors`, U above its diagonal, L
// below it; the diagonal itself is not read. s = sign·exp(log_scale), or, where those are left out, the diagonal of factors.
// P: row i of the product is row rows[i] of W; left out: the identity. That rows is a permutation is not looked at: a place outside of
// the matrix is taken as its first or last row.
#pragma once
#include "cuda/core/linear.h"

namespace flow::cuda {

enum class LuForm : int { lu, lower, upper };

/** In a kernel. */
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

struct LuOperands {
  const Operand *factors = nullptr, *log_scale = nullptr, *sign = nullptr, *rows = nullptr;
  LuForm form = LuForm::lu;
  int64_t n = 0;

  bool has_lower() const { return form != LuForm::upper; }
  bool has_upper() const { return form != LuForm::lower; }
  template <class S>
  LuFactors<S> in_kernel() const {
    return {factors->as<const S>(), factors->ld, n, log_scale->as<const S>(), sign->as<const S>(), rows->as<const int32_t>(), form};
  }
};

inline bool check_vector(const Call& call, const Operand& o, const char* what, int64_t n, DType dtype) {
  FLOW_CHECK(call, o.dtype == dtype && o.count() == n && o.rows <= 1, "%s: expected %s [%lld], got %s %lld × %lld", what,
             name_of(dtype), ll(n), name_of(o.dtype), ll(o.rows), ll(o.cols));
  return true;
}

// in[at …] = factors, log_scale, sign, rows.
inline bool read_lu(const Call& call, int at, double form, LuOperands& lu) {
  FLOW_CHECK(call, form == 0 || form == 1 || form == 2, "form: expected a code from 0 to 2, got %g", form);
  lu = {call.in + at, call.in + at + 1, call.in + at + 2, call.in + at + 3, static_cast<LuForm>(static_cast<int>(form)),
        call.in[at].cols};
  const int64_t n = lu.n;
  FLOW_CHECK(call, lu.factors->rows == n && n > 0, "factors: expected a square matrix, got %lld × %lld", ll(lu.factors->rows), ll(n));
  FLOW_CHECK(call, lu.factors->dtype == DType::f32 || lu.factors->dtype == DType::f64,
             "factors: expected float32 or float64, got %s", name_of(lu.factors->dtype));
  FLOW_CHECK(call, lu.log_scale->absent() == lu.sign->absent(), "log_scale and sign: expected both or neither");
  if (!lu.log_scale->absent() && (!check_vector(call, *lu.log_scale, "log_scale", n, lu.factors->dtype) ||
                                  !check_vector(call, *lu.sign, "sign", n, lu.factors->dtype)))
    return false;
  return lu.rows->absent() || check_vector(call, *lu.rows, "rows", n, DType::i32);
}

/** Channels up to which W⁻¹ is made: it fits 48 KB of shared memory in float64. */
inline constexpr int64_t inverse_channels = 64;

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
