// ema: shadow ← decay·shadow + (1 − decay)·value for a list of tensors.
#include "reference/tensor_list.h"

namespace flow::reference {

bool ema(const Call& call) {
  FLOW_AGREE(call, call.n_in == 2 + call.n_out && is_scalar(call.in[0]) && is_skip(call.in[1]));
  const double decay = *call.in[0].as<double>();
  for (int i = 0; i < call.n_out; ++i) FLOW_AGREE(call, is_float(call.out[i]) && like(call.in[2 + i], call.out[i]));
  if (skips(call.in[1])) return true;
  for (int i = 0; i < call.n_out; ++i) {
    for_elements(call.out[i], nullptr, [&](auto zero, int64_t r, int64_t c) {
      using T = decltype(zero);
      T& shadow = Matrix<T>(call.out[i])(r, c);
      shadow = static_cast<T>(decay * shadow + (1 - decay) * Matrix<T>(call.in[2 + i])(r, c));
    });
  }
  return true;
}

}  // namespace flow::reference
