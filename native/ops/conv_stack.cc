// conv_stack: y_k = act_k(conv_k(y_(k−1)) + bias_k), y_0 = x; the addend is added before the first activation.
// in: x [images·height·width, inputs], addend or absent, then weight and bias (or absent) of each layer; out: y_1, y_2, …;
// attributes: ops/conv_stack.h.
#include "ops/conv_stack.h"

namespace flow::FLOW_ISA {
namespace {

bool conv_stack(const Call& call) {
  const Operand &x = call.in[0], &addend = call.in[1];
  const int64_t count = stack_count(call, 2);
  if (count == 0) return false;
  FLOW_CHECK(call, call.n_out == count, "outputs: expected one a layer, %lld, got %d", ll(count),
             call.n_out);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    StackLayer<T> layers[max_stack_layers];
    if (!read_stack(call, count, 2, x.rows, x.cols, layers) || !check_stack_outputs(call, count, layers)) return false;
    for (int64_t k = 0; k < count; ++k) {
      layers[k].bias = call.in[3 + 2 * k].as<T>();
      layers[k].y = call.out[k].as<T>();
      layers[k].y_ld = call.out[k].ld;
    }
    conv_stack_forward<T>(layers, count, x.as<T>(), x.ld, addend.as<T>(), addend.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv_stack) = {"conv_stack", conv_stack, 4, 2 + 2 * max_stack_layers, -1, -1};

}  // namespace flow::FLOW_ISA
