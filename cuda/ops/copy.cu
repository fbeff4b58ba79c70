// copy: out ← in, element by element, between any two dtypes and row strides.
// To int32 and uint8 the value is truncated towards zero and clamped to the range; NaN gives 0.
#include "cuda/core/elementwise.h"

namespace flow::cuda {
namespace {

template <class To>
__device__ To clamped(double x, double low, double high) {
  if (!(x > low)) return x == x ? static_cast<To>(low) : To(0);
  return static_cast<To>(x < high ? x : high);
}

template <class To, class From>
struct Convert {
  __device__ To operator()(From x) const {
    constexpr bool to_int = sizeof(To) == 4 && static_cast<To>(0.5) == To(0);
    constexpr bool from_float = static_cast<From>(0.5) != From(0);
    if constexpr (to_int && from_float) return clamped<To>(x, -2147483648.0, 2147483647.0);
    if constexpr (sizeof(To) == 1 && sizeof(From) != 1) return clamped<To>(x, 0.0, 255.0);
    return static_cast<To>(x);
  }
};

bool copy(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_CHECK(call, same_shape(in, out), "in is %lld × %lld, out %lld × %lld", ll(in.rows), ll(in.cols), ll(out.rows),
             ll(out.cols));
  return with_type(out.dtype, [&](auto to) {
    return with_type(in.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      return map<To, From>(call, out, Convert<To, From>{}, in);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(copy) = {"copy", copy, 1, 1, 1, 0};

}  // namespace flow::cuda
