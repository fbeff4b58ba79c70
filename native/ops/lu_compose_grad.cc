// lu_compose_grad: backward of lu_compose, all matrices of a model in one call. With G = P'·dL_dW and Ũ = U + diag(s):
//   dL_dL = (G·Ũ') below the diagonal, dL_dU = (L'·G) above it, dL_dlog_scale = diag(L'·G)·s + dL_dlog_det
// in: for each matrix factors, log_scale, sign, rows or absent, dL_dW, dL_dlog_det (float64, one number) or absent; out: for each
// dL_dfactors (its diagonal is 0), dL_dlog_scale; attributes: the form of each.
#include "ops/lu.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void differentiate(const LuFactors& lu, const Operand& dw, const Operand& d_log_det, const Operand& d_factors,
                   const Operand& d_scale) {
  const int64_t n = lu.n;
  const double beside = d_log_det.absent() ? 0 : *d_log_det.as<double>();
  T* out = d_factors.as<T>();
  T* scale = d_scale.as<T>();
  if (lu.form != LuForm::lu) {
    for (int64_t i = 0; i < n; ++i) {
      const T* from = dw.as<T>() + lu.row(i) * dw.ld;
      T* to = out + i * d_factors.ld;
      for (int64_t c = 0; c < n; ++c) to[c] = (lu.form == LuForm::lower ? c < i : c > i) ? from[c] : T(0);
      scale[i] = static_cast<T>(static_cast<double>(from[i]) * lu.diagonal(i) + beside);
    }
    return;
  }
  T* lower = static_cast<T*>(scratch(static_cast<size_t>(3 * n * n + 2 * lu_block * n) * sizeof(T), 4));
  T* upper = lower + n * n;
  T* gathered = upper + n * n;
  T* by_lower = gathered + n * n;
  T* by_upper = by_lower + lu_block * n;
  unpack_lu(lu, lower, upper);
  const T* g = dw.as<T>();
  int64_t ld = dw.ld;
  if (!lu.rows->absent()) {
    for (int64_t i = 0; i < n; ++i)
      __builtin_memcpy(gathered + i * n, dw.as<T>() + lu.row(i) * dw.ld, static_cast<size_t>(n) * sizeof(T));
    g = gathered;
    ld = n;
  }
  for (int64_t r0 = 0; r0 < n; r0 += lu_block) {
    const int64_t r1 = min_of(n, r0 + lu_block), height = r1 - r0, width = n - r0;
    gemm<T>(Trans::no, Trans::yes, height, r1, n, g + r0 * ld, ld, upper, n, by_lower, n);
    gemm<T>(Trans::yes, Trans::no, height, width, width, lower + r0 * (n + 1), n, g + r0 * ld + r0, ld, by_upper, n);
    for (int64_t i = r0; i < r1; ++i) {
      T* to = out + i * d_factors.ld;
      const T* below = by_lower + (i - r0) * n;
      const T* above = by_upper + (i - r0) * n - r0;
      __builtin_memcpy(to, below, static_cast<size_t>(i) * sizeof(T));
      to[i] = T(0);
      __builtin_memcpy(to + i + 1, above + i + 1, static_cast<size_t>(n - i - 1) * sizeof(T));
      scale[i] = static_cast<T>(static_cast<double>(above[i]) * lu.diagonal(i) + beside);
    }
  }
}

bool lu_compose_grad(const Call& call) {
  if (!check_lu_compose_grad(call) || !check_permutations(call, 6)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    for_matrices(call, 6, [&](int k, const LuFactors& lu) {
      const Operand* in = call.in + 6 * k;
      differentiate<decltype(zero)>(lu, in[4], in[5], call.out[2 * k], call.out[2 * k + 1]);
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose_grad) = {"lu_compose_grad", lu_compose_grad, 6, 4096, -1, -1};

}  // namespace flow::FLOW_ISA
