// lu_compose_grad: backward of lu_compose. With G = P'·dL_dW and Ũ = U + diag(s):
//   dL_dL = (G·Ũ') below the diagonal, dL_dU = (L'·G) above it, dL_dlog_scale = diag(L'·G)·s
// in: factors, log_scale, sign, rows or absent, dL_dW; out: dL_dfactors (its diagonal is 0), dL_dlog_scale; attributes: form.
#include "ops/lu.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void differentiate(const LuOperands& lu, const Operand& dw, const Operand& d_factors, const Operand& d_scale) {
  const int64_t n = lu.n;
  T* out = d_factors.as<T>();
  T* scale = d_scale.as<T>();
  if (lu.form != LuForm::lu) {
    for (int64_t i = 0; i < n; ++i) {
      const T* from = dw.as<T>() + lu.row(i) * dw.ld;
      T* to = out + i * d_factors.ld;
      for (int64_t c = 0; c < n; ++c) to[c] = (lu.form == LuForm::lower ? c < i : c > i) ? from[c] : T(0);
      scale[i] = static_cast<T>(static_cast<double>(from[i]) * lu.diagonal(i));
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
      scale[i] = static_cast<T>(static_cast<double>(above[i]) * lu.diagonal(i));
    }
  }
}

bool lu_compose_grad(const Call& call) {
  LuOperands lu;
  int32_t* place = nullptr;
  if (!read_lu(call, 0, lu, place)) return false;
  FLOW_CHECK(call, !lu.log_scale->absent(), "log_scale: expected one, got none");
  const DType type = lu.factors->dtype;
  if (!check_shape(call, call.in[4], "dL_dW", lu.n, lu.n, type) ||
      !check_shape(call, call.out[0], "dL_dfactors", lu.n, lu.n, type) ||
      !check_vector(call, call.out[1], "dL_dlog_scale", lu.n, type))
    return false;
  return with_float(call, *lu.factors, "factors", [&](auto zero) {
    differentiate<decltype(zero)>(lu, call.in[4], call.out[0], call.out[1]);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose_grad) = {"lu_compose_grad", lu_compose_grad, 5, 5, 2, 1};

}  // namespace flow::FLOW_ISA
