// conv_stack: y_k = act_k(conv_k(y_(k−1)) + bias_k), y_0 = x; the addend is added before the first activation.
// in: x [images·height·width, inputs], addend or absent, then weight and bias (or absent) of each layer; out: y_1, y_2, …;
// attributes: core/conv_stack.h.
//
// Floor: that of each convolution. A launch a layer, bias, addend and activation in it.
#include "cuda/core/conv_stack.h"

namespace flow::cuda {
namespace {

bool conv_stack(const Call& call) {
  const Operand &x = call.in[0], &addend = call.in[1];
  const int64_t count = stack_count(call, 2);
  if (count == 0) return false;
  FLOW_CHECK(call, call.n_out == count, "outputs: expected one a layer, %lld, got %d", ll(count), call.n_out);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    StackLayer layers[max_stack_layers];
    if (!read_stack(call, count, 2, x.rows, x.cols, layers) || !check_stack_outputs(call, count, layers)) return false;
    for (int64_t k = 0; k < count; ++k) {
      const Epilogue<T> epilogue =
          affine_epilogue<T>(call.out[k], call.in[3 + 2 * k], k == 0 ? &addend : nullptr, layers[k].act, layers[k].act_param);
      if (!conv_forward<T>(call, layers[k].shape, k == 0 ? x : call.out[k - 1], *layers[k].weight, epilogue)) return false;
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv_stack) = {"conv_stack", conv_stack, 4, 2 + 2 * max_stack_layers, -1, -1};

}  // namespace flow::cuda
