// expand: out = scale·in, where `in` is of the shape of out, or one row, one column or one number of it; from float32 or
// float64 to either. It is the gradient of a sum. Attribute: scale.
#include "cuda/core/elementwise.h"

namespace flow::cuda {
namespace {

template <class To, class From>
struct Scaled {
  double scale;
  __device__ To operator()(From x) const { return static_cast<To>(scale * static_cast<double>(x)); }
};

bool expand(const Call& call) {
  FLOW_CHECK_BROADCAST(call, call.in[0], call.out[0], "input");
  return with_float(call, call.in[0], "input", [&](auto from) {
    return with_float(call, call.out[0], "output", [&](auto to) {
      using To = decltype(to);
      using From = decltype(from);
      return map<To, From>(call, call.out[0], Scaled<To, From>{call.attr[0]}, call.in[0]);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(expand) = {"expand", expand, 1, 1, 1, 1};

}  // namespace flow::cuda
