// clip: g ← g·min(1, max_norm/(norm + 1e-6)) for a list of tensors.
#include "reference/tensor_list.h"

namespace flow::reference {

bool clip(const Call& call) {
  FLOW_AGREE(call, is_scalar(call.in[0]) && is_scalar(call.in[1]));
  const double factor = clip_factor_of(*call.in[0].as<double>(), *call.in[1].as<double>());
  for (int i = 0; i < call.n_out; ++i) FLOW_AGREE(call, is_float(call.out[i]));
  for (int i = 0; i < call.n_out; ++i) {
    for_elements(call.out[i], nullptr, [&](auto zero, int64_t r, int64_t c) {
      using T = decltype(zero);
      T& g = Matrix<T>(call.out[i])(r, c);
      g = static_cast<T>(g * factor);
    });
  }
  return true;
}

}  // namespace flow::reference
