// The functions of one variable and their derivatives: one row a kind, mirrored by lib/ops/unary.ts.
// Include after the functions of V (simd/math.h on a CPU): the formulas here are made of them.
//
// ROW(kind, reads, value, derivative): `value` is of x and the parameters p, q (V); `derivative` reads x where
// reads = x, and the value y where reads = y, in a variable of that name.
#pragma once
#include "math/formula.h"
#include "math/trigonometry.h"

// clang-format off
#define FLOW_UNARY_TABLE(ROW)                                                                                        \
  ROW(neg,         x, -x,                                        V(-1))                                               \
  ROW(abs,         x, abs(x),                                    select(x > V(0), V(1), select(x < V(0), V(-1), x * V(0)))) \
  ROW(square,      x, x * x,                                     V(2) * x)                                            \
  ROW(sqrt,        y, sqrt(x),                                   V(0.5) / y)                                          \
  ROW(reciprocal,  y, V(1) / x,                                  -(y * y))                                            \
  ROW(exp,         y, exp(x),                                    y)                                                   \
  ROW(expm1,       y, expm1(x),                                  y + V(1))                                            \
  ROW(log,         x, log(x),                                    V(1) / x)                                            \
  ROW(log1p,       x, log1p(x),                                  V(1) / (x + V(1)))                                   \
  ROW(tanh,        y, tanh(x),                                   V(1) - y * y)                                        \
  ROW(sigmoid,     y, sigmoid(x),                                y * (V(1) - y))                                      \
  ROW(log_sigmoid, x, log_sigmoid(x),                            sigmoid(-x))                                         \
  ROW(softplus,    x, softplus(x),                               sigmoid(x))                                          \
  ROW(relu,        y, max(V(0), x),                              select(y > V(0), V(1), y * V(0)))                    \
  ROW(leaky_relu,  x, select(x > V(0), x, p * x),                select(x > V(0), V(1), p))                           \
  ROW(elu,         x, select(x > V(0), x, p * expm1(min(V(0), x))), select(x > V(0), V(1), p * exp(min(V(0), x))))    \
  ROW(sin,         x, sin(x),                                    cos(x))                                              \
  ROW(cos,         x, cos(x),                                    -sin(x))                                             \
  ROW(erf,         x, erf(x),                                    V(1.1283791670955126) * exp(-(x * x)))               \
  ROW(sign,        x, select(x > V(0), V(1), select(x < V(0), V(-1), x)), x * V(0))                                   \
  ROW(floor,       x, floor(x),                                  V(0))                                                \
  ROW(clamp,       x, max(p, min(q, x)),                         select((x >= p) & (x <= q), V(1), V(0)))            \
  ROW(asinh,       x, asinh(x),                                  V(1) / sqrt(V(1) + x * x))                          \
  ROW(normal_cdf,  x, normal_cdf(x),                             V(0.39894228040143268) * exp(V(-0.5) * x * x))      \
  ROW(normal_quantile, y, normal_quantile(x),                    V(2.5066282746310002) * exp(V(0.5) * y * y))
// clang-format on

namespace flow::FLOW_ISA {

enum class UnaryKind : int {
#define FLOW_ROW(kind, reads, value, derivative) kind##_,
  FLOW_UNARY_TABLE(FLOW_ROW)
#undef FLOW_ROW
      count
};

template <UnaryKind kind>
struct Unary;

#define FLOW_ROW(kind, reads, value_, derivative_)                                                 \
  template <>                                                                                      \
  struct Unary<UnaryKind::kind##_> {                                                               \
    template <class V>                                                                             \
    static FLOW_FORMULA V value([[maybe_unused]] V x, [[maybe_unused]] V p, [[maybe_unused]] V q) {      \
      return value_;                                                                               \
    }                                                                                              \
    template <class V>                                                                             \
    static FLOW_FORMULA V derivative([[maybe_unused]] V reads, [[maybe_unused]] V p, [[maybe_unused]] V q) { \
      return derivative_;                                                                          \
    }                                                                                              \
  };
FLOW_UNARY_TABLE(FLOW_ROW)
#undef FLOW_ROW

}  // namespace flow::FLOW_ISA
