// accumulate: the sum of two inputs or more in their order, all of one shape and type; out may be the first, of two either one.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

bool accumulate(const Call& call) {
  for (int i = 0; i < call.n_in; ++i) {
    FLOW_CHECK_SAME_SHAPE(call, call.in[i], call.out[0], "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], call.out[0], "input");
  }
  return with_float(call, call.out[0], "out", [&](auto zero) {
    using T = decltype(zero);
    const auto add = [](Vec<T> a, Vec<T> b) FLOW_INLINE_LAMBDA { return a + b; };
    zip<T>(call.out[0], call.in[0], call.in[1], add);
    for (int i = 2; i < call.n_in; ++i) zip<T>(call.out[0], call.out[0], call.in[i], add);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(accumulate) = {"accumulate", accumulate, 2, 32, 1, 0};

}  // namespace flow::FLOW_ISA
