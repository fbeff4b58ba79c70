// What log_prob and its gradient read of their operands, on either device. Attribute: kind, 0 normal, 1 logistic, 2 Bernoulli.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

/** in: z, `between` others, and for Bernoulli x; `sums` (`what`): a float64 number a row, side by side. */
inline bool check_log_prob_rows(const Call& call, int between, const Operand& sums, const char* what) {
  const Operand& z = call.in[0];
  const int64_t kind = call.int_attr(0);
  FLOW_CHECK(call, kind >= 0 && kind <= 2 && call.n_in == 1 + between + (kind == 2 ? 1 : 0), "kind: got %lld with %d inputs", ll(kind),
             call.n_in);
  FLOW_CHECK(call, sums.dtype == DType::f64 && sums.count() == z.rows && sums.contiguous(),
             "%s: expected float64 with %lld values side by side, got %s %lld × %lld", what, ll(z.rows), name_of(sums.dtype),
             ll(sums.rows), ll(sums.cols));
  if (kind != 2) return true;
  FLOW_CHECK_SAME_SHAPE(call, call.in[1 + between], z, "x");
  FLOW_CHECK_SAME_DTYPE(call, call.in[1 + between], z, "x");
  return true;
}

inline bool check_log_prob(const Call& call) { return check_log_prob_rows(call, 0, call.out[0], "output"); }

inline bool check_log_prob_grad(const Call& call) {
  const Operand& z = call.in[0];
  if (!check_log_prob_rows(call, 1, call.in[1], "d")) return false;
  FLOW_CHECK(call, call.int_attr(0) == 2 || call.out[1].absent(), "dL_dx: only Bernoulli has one");
  for (int i = 0; i < 2; ++i) {
    if (call.out[i].absent()) continue;
    FLOW_CHECK_SAME_SHAPE(call, call.out[i], z, "output");
    FLOW_CHECK_SAME_DTYPE(call, call.out[i], z, "output");
  }
  return true;
}

}  // namespace flow::FLOW_ISA
