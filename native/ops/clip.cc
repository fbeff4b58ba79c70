// clip: g ← g·min(1, max_norm/(norm + 1e-6)) for a list of tensors, as torch.nn.utils.clip_grad_norm_.
// in: norm (float64 scalar), max_norm (float64 scalar); out, in place: n tensors.
#include "ops/tensor_list.h"
#include "math/clip.h"

namespace flow::FLOW_ISA {
namespace {

bool clip(const Call& call) {
  if (!check_number(call, call.in[0], "norm") || !check_number(call, call.in[1], "max norm") ||
      !check_float_list(call, "gradients", call.out, call.n_out))
    return false;
  const double factor = clip_factor(*call.in[0].as<double>(), *call.in[1].as<double>());
  if (factor == 1) return true;
  TensorList(call.out, call.n_out, nullptr).run_typed([&](auto zero, int, int64_t count, const auto& at) FLOW_INLINE_LAMBDA {
    using T = decltype(zero);
    T* x = at(call.out);
    const Vec<T> part(static_cast<T>(factor));
    for_lanes<Vec<T>>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
      store_live(x + k, load_live(x + k, live) * part, live);
    });
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(clip) = {"clip", clip, 2, 2, -1, 0};

}  // namespace flow::FLOW_ISA
