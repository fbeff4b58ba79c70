// conv_stack: conv2d after conv2d, the addend before the first activation.
#include "reference/conv_stack.h"

namespace flow::reference {

bool conv_stack(const Call& call) {
  const Operand &x = call.in[0], &addend = call.in[1];
  std::vector<Stacked> layers;
  FLOW_AGREE(call, read_layers(call, x, layers) && call.n_out == static_cast<int>(layers.size()));
  for (size_t k = 0; k < layers.size(); ++k) {
    const Operand &w = call.in[2 + 2 * k], &bias = call.in[3 + 2 * k];
    FLOW_AGREE(call, is(call.out[k], x.rows, w.rows, x.dtype) && (bias.absent() || is(bias, 1, w.rows, x.dtype)));
  }
  FLOW_AGREE(call, addend.absent() || like(addend, call.out[0]));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (size_t k = 0; k < layers.size(); ++k) {
      const auto& [image, act, param] = layers[k];
      convolve<T>(image, Matrix<T>(k == 0 ? x : call.out[k - 1]), Matrix<T>(call.in[2 + 2 * k]), call.in[3 + 2 * k],
                  k == 0 ? addend : nothing(), act, param, Matrix<T>(call.out[k]));
    }
  });
}

}  // namespace flow::reference
