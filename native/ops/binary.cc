// binary: y = f(a, b) by element. Attribute: kind. a and b are of the shape of y, or one row, one column or one number
// of it. max and min are NaN where either is; greater_equal gives 1 or 0.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

// Mirrored by lib/ops/binary.ts.
enum class Kind : int { add, sub, mul, div, max, min, greater_equal };

template <class T>
bool run_type(const Call& call) {
  const Operand &a = call.in[0], &b = call.in[1], &y = call.out[0];
  using V = Vec<T>;
  switch (static_cast<Kind>(call.int_attr(0))) {
    case Kind::add: zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return u + v; }); return true;
    case Kind::sub: zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return u - v; }); return true;
    case Kind::mul: zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return u * v; }); return true;
    case Kind::div: zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return u / v; }); return true;
    // The instruction returns v if either is NaN: one of u is put back.
    case Kind::max:
      zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return select(u != u, u, max(u, v)); });
      return true;
    case Kind::min:
      zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return select(u != u, u, min(u, v)); });
      return true;
    case Kind::greater_equal:
      zip<T>(y, a, b, [](V u, V v) FLOW_INLINE_LAMBDA { return select(u >= v, V(1), V(0)); });
      return true;
  }
  return call.fail("kind: expected 0 to 6, got %g", call.attr[0]);
}

bool binary(const Call& call) {
  const Operand& y = call.out[0];
  for (int i = 0; i < 2; ++i) {
    FLOW_CHECK_BROADCAST(call, call.in[i], y, "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], y, "input");
  }
  return with_float(call, y, "out", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(binary) = {"binary", binary, 2, 2, 1, 1};

}  // namespace flow::FLOW_ISA
