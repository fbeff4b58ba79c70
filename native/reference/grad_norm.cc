// grad_norm: √Σ g² over all elements of a list of tensors, in float64.
#include "reference/tensor_list.h"

namespace flow::reference {

bool grad_norm(const Call& call) {
  FLOW_AGREE(call, is_scalar(call.out[0]));
  double sum = 0;
  for (int i = 0; i < call.n_in; ++i) {
    if (call.in[i].absent()) continue;
    FLOW_AGREE(call, is_float(call.in[i]));
    for_elements(call.in[i], nullptr, [&](auto zero, int64_t r, int64_t c) {
      const double g = Matrix<decltype(zero)>(call.in[i])(r, c);
      sum += g * g;
    });
  }
  *call.out[0].as<double>() = std::sqrt(sum);
  return true;
}

}  // namespace flow::reference
