// clip: g ← g·min(1, max_norm/(norm + 1e-6)) for a list of tensors, as torch.nn.utils.clip_grad_norm_.
// in: norm (float64 scalar), max_norm (float64 scalar); out, in place: n tensors.
//
// Floor: the tensors read and written, once, in one launch.
#include "cuda/core/tensor_list.h"
#include "math/clip.h"

namespace flow::cuda {
namespace {

struct Clip {
  static constexpr int numbers = 1;
  static constexpr unsigned stored = 0b1;
  const double *norm, *max_norm;

  __device__ __forceinline__ double number(int) const { return clip_factor(*norm, *max_norm); }
  template <class T>
  __device__ __forceinline__ T known(const double* all) const {
    return static_cast<T>(all[0]);
  }
  template <class T, int W>
  __device__ __forceinline__ void operator()(T factor, T (&x)[1][W]) const {
#pragma unroll
    for (int k = 0; k < W; ++k) x[0][k] *= factor;
  }
};

bool clip(const Call& call) {
  if (!check_number(call, call.in[0], "norm") || !check_number(call, call.in[1], "max norm") ||
      !check_float_list(call, "gradients", call.out, call.n_out))
    return false;
  const Operand* const lists[1] = {call.out};
  return update_tensors<1>(call, lists, nullptr, call.n_out, Clip{call.in[0].as<const double>(), call.in[1].as<const double>()});
}

}  // namespace

FLOW_DEFINE_OP(clip) = {"clip", clip, 2, 2, -1, 0};

}  // namespace flow::cuda
