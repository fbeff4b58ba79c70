// What activation_slope and its gradient read of their operands, on either device. Comes after math/activation_slope.h.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

// Checks z, beta (absent but for lip_swish) and the kind, attribute 0.
inline bool check_smooth(const Call& call, const Operand& z, const Operand& beta) {
  const bool known = call.attr[0] >= 0 && call.attr[0] < static_cast<double>(SmoothKind::count);
  FLOW_CHECK(call, known, "kind: expected 0 to %d, got %g", static_cast<int>(SmoothKind::count) - 1, call.attr[0]);
  const bool wants = static_cast<SmoothKind>(call.int_attr(0)) == SmoothKind::lip_swish;
  FLOW_CHECK(call, wants != beta.absent(), "beta: expected %s, got %s", wants ? "one number" : "none",
             beta.absent() ? "none" : "one");
  FLOW_CHECK(call, beta.absent() || (beta.count() == 1 && beta.dtype == z.dtype), "beta: expected one number of the type of z");
  return true;
}

inline bool check_smooth_like(const Call& call, const Operand& operand, const char* what, const Operand& z) {
  FLOW_CHECK(call, operand.absent() || (same_shape(operand, z) && operand.dtype == z.dtype),
             "%s: expected %s %lld × %lld, got %s %lld × %lld", what, name_of(z.dtype), ll(z.rows), ll(z.cols),
             name_of(operand.dtype), ll(operand.rows), ll(operand.cols));
  return true;
}

// body.template operator()<kind>() for the kind in attribute 0.
template <class F>
auto with_smooth_kind(const Call& call, const F& body) {
  switch (static_cast<SmoothKind>(call.int_attr(0))) {
    case SmoothKind::lip_swish: return body.template operator()<SmoothKind::lip_swish>();
    case SmoothKind::elu: return body.template operator()<SmoothKind::elu>();
    case SmoothKind::tanh: return body.template operator()<SmoothKind::tanh>();
    default: return body.template operator()<SmoothKind::softplus>();
  }
}

}  // namespace flow::FLOW_ISA
