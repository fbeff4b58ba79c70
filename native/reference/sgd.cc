// sgd: g ← clip·g + weight_decay·p; b ← momentum·b + g; p ← p − lr·(nesterov ? g + momentum·b : b), as PyTorch.
// See native/ops/sgd.cc for the operands.
#include "reference/tensor_list.h"

namespace flow::reference {

bool sgd(const Call& call) {
  const int n = (call.n_out - 1) / 2;
  FLOW_AGREE(call, call.n_out == 1 + 2 * n && call.n_in == 2 + n);
  const Operand &norm = call.in[0], &skip = call.in[1], &state = call.out[0];
  FLOW_AGREE(call, is(state, 1, 4, DType::f64) && (norm.absent() || is_scalar(norm)) && is_skip(skip));
  const Operand *gradients = call.in + 2, *parameters = call.out + 1, *buffers = parameters + n;
  for (int i = 0; i < n; ++i) {
    FLOW_AGREE(call, is_float(parameters[i]) && like(buffers[i], parameters[i]));
    FLOW_AGREE(call, gradients[i].absent() || like(gradients[i], parameters[i]));
  }
  if (skips(skip)) return true;
  const double* s = state.as<double>();
  const double lr = s[0], momentum = s[1], weight_decay = s[2], max_norm = s[3];
  const double clip = norm.absent() ? 1 : clip_factor_of(*norm.as<double>(), max_norm);
  for (int i = 0; i < n; ++i) {
    if (gradients[i].absent()) continue;
    for_elements(parameters[i], nullptr, [&](auto zero, int64_t r, int64_t c) {
      using T = decltype(zero);
      T &p = Matrix<T>(parameters[i])(r, c), &b = Matrix<T>(buffers[i])(r, c);
      const double g = clip * static_cast<double>(Matrix<T>(gradients[i])(r, c)) + weight_decay * p;
      b = static_cast<T>(momentum * b + g);
      p = static_cast<T>(p - lr * (call.attr[0] != 0 ? g + momentum * b : b));
    });
  }
  return true;
}

}  // namespace flow::reference
