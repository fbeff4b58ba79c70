// sgd: one step of gradient descent with momentum for all parameters of a model, with PyTorch's formula:
//   g ← clip·g + weight_decay·p; b ← momentum·b + g; p ← p − lr·(nesterov ? g + momentum·b : b)
// in: global gradient norm (float64 scalar) or absent, skip (see adam) or absent, n gradients (absent: the parameter is left alone); out, all in
// place: state [4] float64 (lr, momentum, weight_decay, max_norm; see adam), n parameters, n momentum buffers (zero
// before the first step). attributes: nesterov (0 or 1).
#include "ops/optimizer_operands.h"
#include "ops/tensor_list.h"
#include "math/clip.h"

namespace flow::FLOW_ISA {
namespace {

bool sgd(const Call& call) {
  SgdOperands of{};
  if (!read_sgd(call, of)) return false;
  if (skips(*of.skip)) return true;
  const double* state = of.state->as<double>();
  const double factor = of.norm->absent() ? 1 : clip_factor(*of.norm->as<double>(), state[3]);
  const bool nesterov = call.attr[0] != 0;

  TensorList(of.parameters, of.n, nullptr, of.gradients, of.buffers)
      .run_typed([&](auto zero, int i, int64_t count, const auto& at) FLOW_INLINE_LAMBDA {
        if (of.gradients[i].absent()) return;
        using T = decltype(zero);
        using V = Vec<T>;
        const V lr(static_cast<T>(state[0])), momentum(static_cast<T>(state[1])), decay(static_cast<T>(state[2]));
        const V clip(static_cast<T>(factor));
        const T* gradient = at(of.gradients);
        T *parameter = at(of.parameters), *buffer = at(of.buffers);
        for_lanes<V>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
          const V p = load_live(parameter + k, live);
          const V g = fma(decay, p, load_live(gradient + k, live) * clip);
          const V b = fma(momentum, load_live(buffer + k, live), g);
          store_live(buffer + k, b, live);
          store_live(parameter + k, p - lr * (nesterov ? fma(momentum, b, g) : b), live);
        });
      });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(sgd) = {"sgd", sgd, 2, 4096, -1, 1};

}  // namespace flow::FLOW_ISA
