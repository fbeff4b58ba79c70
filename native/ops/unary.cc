// unary: y = f(x) by element. Attributes: kind (native/math/unary.h), p, q (parameters of the kind).
#include "ops/elementwise.h"
#include "simd/math.h"
#include "math/unary.h"

namespace flow::FLOW_ISA {
namespace {

template <class T, UnaryKind kind>
void run_kind(const Operand& y, const Operand& x, double p, double q) {
  const Vec<T> first(static_cast<T>(p)), second(static_cast<T>(q));
  map<T>(y, x, [first, second](Vec<T> v) FLOW_INLINE_LAMBDA { return Unary<kind>::value(v, first, second); });
}

template <class T>
bool run_type(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  double p = call.attr[1], q = call.attr[2];
  switch (static_cast<UnaryKind>(call.int_attr(0))) {
#define FLOW_ROW(kind, reads, value, derivative) \
  case UnaryKind::kind##_: run_kind<T, UnaryKind::kind##_>(y, x, p, q); return true;
    FLOW_UNARY_TABLE(FLOW_ROW)
#undef FLOW_ROW
    default: return call.fail("kind: expected 0 to %d, got %g", static_cast<int>(UnaryKind::count) - 1, call.attr[0]);
  }
}

bool unary(const Call& call) {
  FLOW_CHECK_SAME_SHAPE(call, call.out[0], call.in[0], "output");
  FLOW_CHECK_SAME_DTYPE(call, call.out[0], call.in[0], "output");
  return with_float(call, call.in[0], "x", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(unary) = {"unary", unary, 1, 1, 1, 3};

}  // namespace flow::FLOW_ISA
