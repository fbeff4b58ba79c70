// sgd: one step of gradient descent with momentum for all parameters of a model, with PyTorch's formula:
//   g ← clip·g + weight_decay·p; b ← momentum·b + g; p ← p − lr·(nesterov ? g + momentum·b : b)
// in: global gradient norm (float64 scalar) or absent, skip (see adam) or absent, n gradients (absent: the parameter is left alone); out, all in
// place: state [4] float64 (lr, momentum, weight_decay, max_norm; see adam), n parameters, n momentum buffers (zero
// before the first step). attributes: nesterov (0 or 1).
#include "ops/tensor_list.h"

namespace flow::FLOW_ISA {
namespace {

bool sgd(const Call& call) {
  const int n = (call.n_out - 1) / 2;
  FLOW_CHECK(call, call.n_out == 1 + 2 * n && call.n_in == 2 + n, "operands: got %d inputs and %d outputs", call.n_in,
             call.n_out);
  const Operand &norm = call.in[0], &skip = call.in[1];
  const Operand* gradients = call.in + 2;
  const Operand* parameters = call.out + 1;
  const Operand* buffers = parameters + n;
  if (!check_state(call, call.out[0], 4) || !check_float_list(call, "parameters", parameters, n) ||
      !check_list(call, "gradients", gradients, parameters, n, true) ||
      !check_list(call, "momentum buffers", buffers, parameters, n))
    return false;
  if (!norm.absent() && !check_scalar(call, norm, "norm")) return false;
  if (!check_skip(call, skip)) return false;
  if (skips(skip)) return true;
  const double* state = call.out[0].as<double>();
  const double factor = norm.absent() ? 1 : clip_factor(*norm.as<double>(), state[3]);
  const bool nesterov = call.attr[0] != 0;

  TensorList(parameters, n, nullptr, gradients, buffers).run([&](int64_t, int i, int64_t row, int64_t col, int64_t count) {
    if (gradients[i].absent()) return;
    const auto go = [&](auto zero) FLOW_INLINE_LAMBDA {
      using T = decltype(zero);
      using V = Vec<T>;
      const V lr(static_cast<T>(state[0])), momentum(static_cast<T>(state[1])), decay(static_cast<T>(state[2]));
      const V clip(static_cast<T>(factor));
      const T* gradient = gradients[i].as<T>() + row * gradients[i].ld + col;
      T* parameter = parameters[i].as<T>() + row * parameters[i].ld + col;
      T* buffer = buffers[i].as<T>() + row * buffers[i].ld + col;
      for_lanes<V>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
        const V p = load_live(parameter + k, live);
        const V g = fma(decay, p, load_live(gradient + k, live) * clip);
        const V b = fma(momentum, load_live(buffer + k, live), g);
        store_live(buffer + k, b, live);
        store_live(parameter + k, p - lr * (nesterov ? fma(momentum, b, g) : b), live);
      });
    };
    if (parameters[i].dtype == DType::f32)
      go(float{});
    else
      go(double{});
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(sgd) = {"sgd", sgd, 2, 4096, -1, 1};

}  // namespace flow::FLOW_ISA
