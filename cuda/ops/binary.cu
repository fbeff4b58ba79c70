// binary: y = f(a, b) by element. Attribute: kind. a and b are of the shape of y, or one row, one column or one number
// of it. max and min are NaN where either is; greater_equal gives 1 or 0.
#include "cuda/core/elementwise.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

// Mirrored by lib/ops/binary.ts.
enum class Kind : int { add, sub, mul, div, max, min, greater_equal };

template <Kind kind, class T>
struct Function {
  __device__ T operator()(T a, T b) const {
    if constexpr (kind == Kind::add) return a + b;
    if constexpr (kind == Kind::sub) return a - b;
    if constexpr (kind == Kind::mul) return a * b;
    if constexpr (kind == Kind::div) return a / b;
    if constexpr (kind == Kind::max) return a != a ? a : max(a, b);
    if constexpr (kind == Kind::min) return a != a ? a : min(a, b);
    if constexpr (kind == Kind::greater_equal) return a >= b ? T(1) : T(0);
  }
};

template <class T>
bool run_type(const Call& call) {
  const Operand &a = call.in[0], &b = call.in[1], &y = call.out[0];
  switch (static_cast<Kind>(call.int_attr(0))) {
#define FLOW_CASE(kind) \
  case Kind::kind: return map<T, T, T>(call, y, Function<Kind::kind, T>{}, a, b);
    FLOW_CASE(add)
    FLOW_CASE(sub)
    FLOW_CASE(mul)
    FLOW_CASE(div)
    FLOW_CASE(max)
    FLOW_CASE(min)
    FLOW_CASE(greater_equal)
#undef FLOW_CASE
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

}  // namespace flow::cuda
