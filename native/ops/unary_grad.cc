// unary_grad: dL_dx = dL_dy · f'(s) by element, s the x or the y of `unary`, as its kind reads. Attributes: kind, p, q.
#include "ops/elementwise.h"
#include "simd/math.h"
#include "math/unary.h"

namespace flow::FLOW_ISA {
namespace {

template <class T, UnaryKind kind>
void run_kind(const Operand& dL_dx, const Operand& s, const Operand& dL_dy, double p, double q) {
  const Vec<T> first(static_cast<T>(p)), second(static_cast<T>(q));
  zip_alike<T>(dL_dx, s, dL_dy, [first, second](Vec<T> saved, Vec<T> d) FLOW_INLINE_LAMBDA {
    return d * Unary<kind>::derivative(saved, first, second);
  });
}

template <class T>
bool run_type(const Call& call) {
  const Operand &s = call.in[0], &dL_dy = call.in[1], &dL_dx = call.out[0];
  double p = call.attr[1], q = call.attr[2];
  switch (static_cast<UnaryKind>(call.int_attr(0))) {
#define FLOW_ROW(kind, reads, value, derivative) \
  case UnaryKind::kind##_: run_kind<T, UnaryKind::kind##_>(dL_dx, s, dL_dy, p, q); return true;
    FLOW_UNARY_TABLE(FLOW_ROW)
#undef FLOW_ROW
    default: return call.fail("kind: expected 0 to %d, got %g", static_cast<int>(UnaryKind::count) - 1, call.attr[0]);
  }
}

bool unary_grad(const Call& call) {
  for (int i = 0; i < 2; ++i) {
    FLOW_CHECK_SAME_SHAPE(call, call.in[i], call.out[0], "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], call.out[0], "input");
  }
  return with_float(call, call.out[0], "dL_dx", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(unary_grad) = {"unary_grad", unary_grad, 2, 2, 1, 3};

}  // namespace flow::FLOW_ISA
