// conv_stack_grad: the gradients of conv_stack by all that it takes.
// in: dL_dy of the last layer, x, then weight and y of each layer (y of the last may be absent where it has no activation);
// out, each perhaps absent: dL_dx, dL_daddend, then dL_dW and dL_db of each layer; attributes: ops/conv_stack.h.
#include "ops/conv_stack.h"

namespace flow::FLOW_ISA {
namespace {

bool conv_stack_grad(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dx = call.out[0], &dL_daddend = call.out[1];
  const int64_t count = stack_count(call, 2);
  if (count == 0) return false;
  FLOW_CHECK(call, call.n_out == 2 + 2 * count, "outputs: expected %lld, got %d", ll(2 + 2 * count),
             call.n_out);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    StackLayer<T> layers[max_stack_layers];
    StackGradient<T> gradients[max_stack_layers];
    if (!read_stack(call, count, 2, x.rows, x.cols, layers) || !check_stack_gradients(call, count, layers)) return false;
    for (int64_t k = 0; k < count; ++k) {
      const Operand &y = call.in[3 + 2 * k], &dL_dW = call.out[2 + 2 * k], &dL_db = call.out[3 + 2 * k];
      layers[k].y = y.as<T>();
      layers[k].y_ld = y.ld;
      gradients[k] = {dL_dW.as<T>(), dL_dW.ld, dL_db.as<T>()};
    }
    conv_stack_backward<T>(layers, count, x.as<T>(), x.ld, dL_dy.as<T>(), dL_dy.ld, gradients, dL_dx.as<T>(), dL_dx.ld,
                           dL_daddend.as<T>(), dL_daddend.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv_stack_grad) = {"conv_stack_grad", conv_stack_grad, 4, 2 + 2 * max_stack_layers, -1, -1};

}  // namespace flow::FLOW_ISA
