// affine_scalar: y = scale·x + shift by element. Attributes: scale, shift.
#include "cuda/core/elementwise.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

template <class T>
struct Affine {
  T scale, shift;
  __device__ T operator()(T x) const { return fma(scale, x, shift); }
};

bool affine_scalar(const Call& call) {
  FLOW_CHECK_SAME_SHAPE(call, call.out[0], call.in[0], "output");
  FLOW_CHECK_SAME_DTYPE(call, call.out[0], call.in[0], "output");
  return with_float(call, call.in[0], "x", [&](auto zero) {
    using T = decltype(zero);
    const Affine<T> f{static_cast<T>(call.attr[0]), static_cast<T>(call.attr[1])};
    return map<T, T>(call, call.out[0], f, call.in[0]);
  });
}

}  // namespace

FLOW_DEFINE_OP(affine_scalar) = {"affine_scalar", affine_scalar, 1, 1, 1, 2};

}  // namespace flow::cuda
