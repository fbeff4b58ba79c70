// What the ops of increasing functions read of their operands and attributes, on either device. Comes after math/monotone_*.h.
//
// Attributes: family, two sizes, bound, least slope.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int monotone_attributes = 5;

/** Attributes from `at` on. Calls body(family) with the functions of V, a number or a register of them. */
template <class V, class F>
bool with_monotone(const Call& call, int at, const F& body) {
  using T = lane_t<V>;
  const double kind = call.attr[at], bound = call.attr[at + 3], least = call.attr[at + 4];
  const int64_t first = call.int_attr(at + 1), second = call.int_attr(at + 2);
  FLOW_CHECK(call, first >= 1 && first <= 4096 && second >= 0 && second <= 4096, "sizes: expected 1 to 4096, got %lld and %lld",
             ll(first), ll(second));
  FLOW_CHECK(call, bound > 0 && least > 0, "bound, least slope: expected numbers above 0, got %g and %g", bound, least);
  if (kind == 0) {
    FLOW_CHECK(call, second >= 1, "layers: expected 1 or more, got %lld", ll(second));
    return body(Dsf<V>{first, second, static_cast<T>(least)});
  }
  if (kind == 1) return body(SumOfSquares<V>{first, second, static_cast<T>(bound), static_cast<T>(least)});
  if (kind == 2) return body(Bernstein<V>{first, static_cast<T>(bound), static_cast<T>(least)});
  if (kind == 3) return body(LogisticMixture<V>{first, static_cast<T>(bound)});
  return call.fail("family: expected a code from 0 to 3, got %g", kind);
}

/** The result (`what`), parameters, P a number, and log-determinant of a map of `from`, in[0]; the parameters are in[1]. */
inline bool check_monotone(const Call& call, const char* what, int64_t P) {
  const Operand& from = call.in[0];
  return check_like(call, call.out[0], what, from, from.cols) && check_like(call, call.in[1], "params", from, from.cols * P) &&
         check_log_det(call, call.out[1], "logDet", from.rows);
}

inline bool check_monotone_grad(const Call& call, int64_t P) {
  const Operand &x = call.in[0], &dL_dy = call.in[2], &dL_dlogdet = call.in[3];
  return check_like(call, call.in[1], "params", x, x.cols * P) && check_like(call, call.out[0], "dL_dx", x, x.cols) &&
         check_like(call, call.out[1], "dL_dparams", x, x.cols * P) && (dL_dy.absent() || check_like(call, dL_dy, "dL_dy", x, x.cols)) &&
         (dL_dlogdet.absent() || check_log_det(call, dL_dlogdet, "dL_dlogDet", x.rows));
}

}  // namespace flow::FLOW_ISA
