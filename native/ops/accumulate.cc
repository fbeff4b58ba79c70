// accumulate: out = a + b, three of one shape and type; out may be a or b.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

bool accumulate(const Call& call) {
  for (int i = 0; i < 2; ++i) {
    FLOW_CHECK_SAME_SHAPE(call, call.in[i], call.out[0], "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], call.out[0], "input");
  }
  return with_float(call, call.out[0], "out", [&](auto zero) {
    using T = decltype(zero);
    zip<T>(call.out[0], call.in[0], call.in[1], [](Vec<T> a, Vec<T> b) FLOW_INLINE_LAMBDA { return a + b; });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(accumulate) = {"accumulate", accumulate, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
