// where: y = mask ≠ 0 ? a : b by element; an element that is not taken is not looked at. The mask is uint8 or of the type
// of a; mask, a and b are of the shape of y, or one row, one column or one number of it.
#include "cuda/core/elementwise.h"

namespace flow::cuda {
namespace {

template <class M, class T>
struct Choice {
  __device__ T operator()(M mask, T a, T b) const { return mask != M(0) ? a : b; }
};

bool where(const Call& call) {
  const Operand &mask = call.in[0], &a = call.in[1], &b = call.in[2], &y = call.out[0];
  for (int i = 0; i < 3; ++i) FLOW_CHECK_BROADCAST(call, call.in[i], y, "input");
  FLOW_CHECK_SAME_DTYPE(call, a, y, "a");
  FLOW_CHECK_SAME_DTYPE(call, b, y, "b");
  FLOW_CHECK(call, mask.dtype == DType::u8 || mask.dtype == y.dtype, "mask: expected uint8 or %s, got %s",
             name_of(y.dtype), name_of(mask.dtype));
  return with_float(call, y, "out", [&](auto zero) {
    using T = decltype(zero);
    if (mask.dtype == DType::u8) return map<T, uint8_t, T, T>(call, y, Choice<uint8_t, T>{}, mask, a, b);
    return map<T, T, T, T>(call, y, Choice<T, T>{}, mask, a, b);
  });
}

}  // namespace

FLOW_DEFINE_OP(where) = {"where", where, 3, 3, 1, 0};

}  // namespace flow::cuda
