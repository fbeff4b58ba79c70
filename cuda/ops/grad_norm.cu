// grad_norm: √Σ g² over all elements of a list of tensors, accumulated in float64 in a fixed order.
// in: n tensors, each float32 or float64 (absent ones count as zero); out: one float64.
//
// Floor: the tensors, once. A block a chunk, then one block for the chunks' sums.
#include "cuda/core/tensor_list.h"

namespace flow::cuda {
namespace {

struct Norm {
  using Fold = Sum;
  double* out;

  __device__ __forceinline__ static double zero() { return 0; }
  __device__ __forceinline__ double term(double x, int) const { return x * x; }
  __device__ __forceinline__ void put(double total) const { *out = sqrt(total); }
};

bool grad_norm(const Call& call) {
  for (int i = 0; i < call.n_in; ++i)
    if (!call.in[i].absent() && !check_float_list(call, "gradients", call.in + i, 1)) return false;
  if (!check_number(call, call.out[0], "norm")) return false;
  return fold_tensors(call, call.in, call.n_in, Norm{call.out[0].as<double>()});
}

}  // namespace

FLOW_DEFINE_OP(grad_norm) = {"grad_norm", grad_norm, 0, 4096, 1, 0};

}  // namespace flow::cuda
