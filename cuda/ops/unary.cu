// unary: y = f(x) by element. Attributes: kind (native/math/unary.h), p, q (parameters of the kind).
#include "cuda/core/elementwise.h"
#include "cuda/core/scalar.h"
#include "math/unary.h"

namespace flow::cuda {
namespace {

template <class T, UnaryKind kind>
struct Value {
  T p, q;
  __device__ T operator()(T x) const { return Unary<kind>::value(x, p, q); }
};

template <class T>
bool run_type(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  const T p = static_cast<T>(call.attr[1]), q = static_cast<T>(call.attr[2]);
  switch (static_cast<UnaryKind>(call.int_attr(0))) {
#define FLOW_ROW(kind, reads, value, derivative) \
  case UnaryKind::kind##_: return map<T, T>(call, y, Value<T, UnaryKind::kind##_>{p, q}, x);
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

}  // namespace flow::cuda
