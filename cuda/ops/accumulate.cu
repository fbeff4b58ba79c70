// accumulate: out = a + b, three of one shape and type; out may be a or b.
#include "cuda/core/elementwise.h"

namespace flow::cuda {
namespace {

template <class T>
struct Sum {
  __device__ T operator()(T a, T b) const { return a + b; }
};

bool accumulate(const Call& call) {
  for (int i = 0; i < 2; ++i) {
    FLOW_CHECK_SAME_SHAPE(call, call.in[i], call.out[0], "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], call.out[0], "input");
  }
  return with_float(call, call.out[0], "out", [&](auto zero) {
    using T = decltype(zero);
    return map<T, T, T>(call, call.out[0], Sum<T>{}, call.in[0], call.in[1]);
  });
}

}  // namespace

FLOW_DEFINE_OP(accumulate) = {"accumulate", accumulate, 2, 2, 1, 0};

}  // namespace flow::cuda
