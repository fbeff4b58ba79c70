// lu_compose: the matrices W of their triangles, all of a model in one call; see ops/lu.h.
// in: for each matrix factors [C, C], log_scale [C], sign [C] (both or neither), rows [C] int32 or absent; out: for each w [C, C] and
// log_det (float64, one number: log|det W| = Σ log_scale) or absent; attributes: the form of each. One dtype, any sizes.
#include "ops/lu.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void compose(const LuFactors& lu, const Operand& w) {
  const int64_t n = lu.n;
  if (lu.form != LuForm::lu) {
    for (int64_t i = 0; i < n; ++i) {
      const T* from = lu.factors->as<T>() + i * lu.factors->ld;
      T* to = w.as<T>() + lu.row(i) * w.ld;
      for (int64_t c = 0; c < n; ++c) to[c] = (lu.form == LuForm::lower ? c < i : c > i) ? from[c] : T(0);
      to[i] = static_cast<T>(lu.diagonal(i));
    }
    return;
  }
  T* lower = static_cast<T*>(scratch(static_cast<size_t>(2 * n * n + lu_block * n) * sizeof(T), 4));
  T* upper = lower + n * n;
  T* product = upper + n * n;
  unpack_lu(lu, lower, upper);
  for (int64_t r0 = 0; r0 < n; r0 += lu_block) {
    const int64_t r1 = min_of(n, r0 + lu_block);
    const bool direct = lu.rows->absent();
    T* to = direct ? w.as<T>() + r0 * w.ld : product;
    gemm<T>(Trans::no, Trans::no, r1 - r0, n, r1, lower + r0 * n, n, upper, n, to, direct ? w.ld : n);
    for (int64_t i = r0; i < r1 && !direct; ++i)
      __builtin_memcpy(w.as<T>() + lu.row(i) * w.ld, product + (i - r0) * n, static_cast<size_t>(n) * sizeof(T));
  }
}

bool lu_compose(const Call& call) {
  if (!check_lu_compose(call) || !check_permutations(call, 4)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    for_matrices(call, 4, [&](int k, const LuFactors& lu) {
      compose<decltype(zero)>(lu, call.out[2 * k]);
      write_lu_log_det(lu, call.out[2 * k + 1]);
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose) = {"lu_compose", lu_compose, 4, 4096, -1, -1};

}  // namespace flow::FLOW_ISA
