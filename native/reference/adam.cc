// adam: one step of Adam or AdamW for all parameters, with PyTorch's formula. See native/ops/adam.cc for the operands.
#include "reference/tensor_list.h"

namespace flow::reference {

bool adam(const Call& call) {
  const int n = (call.n_out - 1) / 3;
  FLOW_AGREE(call, call.n_out == 1 + 3 * n && (call.n_in == 2 + n || call.n_in == 2 + 2 * n));
  const Operand &norm = call.in[0], &skip = call.in[1], &state = call.out[0];
  FLOW_AGREE(call, is(state, 1, 7, DType::f64) && (norm.absent() || is_scalar(norm)) && is_skip(skip));
  const Operand *gradients = call.in + 2, *extents = call.n_in == 2 + 2 * n && n > 0 ? call.in + 2 + n : nullptr;
  const Operand *parameters = call.out + 1, *first = parameters + n, *second = first + n;
  for (int i = 0; i < n; ++i) {
    FLOW_AGREE(call, is_float(parameters[i]) && like(first[i], parameters[i]) && like(second[i], parameters[i]));
    FLOW_AGREE(call, gradients[i].absent() || like(gradients[i], parameters[i]));
    FLOW_AGREE(call, !extents || extents[i].absent() || is_vector(extents[i], parameters[i].rows, DType::i32));
  }
  if (skips(skip)) return true;
  double* s = state.as<double>();
  const double t = s[0] += 1;
  const double lr = s[1], beta1 = s[2], beta2 = s[3], eps = s[4], weight_decay = s[5], max_norm = s[6];
  const bool decoupled = call.attr[0] != 0;
  const double correction1 = 1 - std::pow(beta1, t), correction2 = 1 - std::pow(beta2, t);
  const double clip = norm.absent() ? 1 : clip_factor_of(*norm.as<double>(), max_norm);
  for (int i = 0; i < n; ++i) {
    if (gradients[i].absent()) continue;
    for_elements(parameters[i], extents ? extents + i : nullptr, [&](auto zero, int64_t r, int64_t c) {
      using T = decltype(zero);
      T &p = Matrix<T>(parameters[i])(r, c), &m = Matrix<T>(first[i])(r, c), &v = Matrix<T>(second[i])(r, c);
      double g = clip * static_cast<double>(Matrix<T>(gradients[i])(r, c));
      if (!decoupled) g += weight_decay * static_cast<double>(p);
      m = static_cast<T>(beta1 * m + (1 - beta1) * g);
      v = static_cast<T>(beta2 * v + (1 - beta2) * g * g);
      const double m_hat = m / correction1, v_hat = v / correction2;
      double value = decoupled ? (1 - lr * weight_decay) * p : p;
      value -= lr * m_hat / (std::sqrt(v_hat) + eps);
      p = static_cast<T>(value);
    });
  }
  return true;
}

}  // namespace flow::reference
