// affine_scalar: y = scale·x + shift by element. Attributes: scale, shift.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

bool affine_scalar(const Call& call) {
  FLOW_CHECK_SAME_SHAPE(call, call.out[0], call.in[0], "output");
  FLOW_CHECK_SAME_DTYPE(call, call.out[0], call.in[0], "output");
  return with_float(call, call.in[0], "x", [&](auto zero) {
    using T = decltype(zero);
    const Vec<T> scale(static_cast<T>(call.attr[0])), shift(static_cast<T>(call.attr[1]));
    map<T>(call.out[0], call.in[0], [scale, shift](Vec<T> x) FLOW_INLINE_LAMBDA { return fma(scale, x, shift); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(affine_scalar) = {"affine_scalar", affine_scalar, 1, 1, 1, 2};

}  // namespace flow::FLOW_ISA
