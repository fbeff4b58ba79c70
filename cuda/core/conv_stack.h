// What conv_stack and its gradient share: native/ops/conv_stack_operands.h has the attributes.
#pragma once
#include "cuda/core/conv.h"

namespace flow::cuda {

inline constexpr int64_t max_stack_layers = 16;

}  // namespace flow::cuda

#include "ops/conv_stack_operands.h"

namespace flow::cuda {

struct StackLayer {
  ConvShape shape;
  Activation act = Activation::none;
  double act_param = 0;
  const Operand* weight = nullptr;
};

/** Weight k is input `first` + 2k. */
inline bool read_stack(const Call& call, int64_t count, int first, int64_t rows, int64_t inputs, StackLayer* layers) {
  return read_stack_layers(call, count, first, inputs, layers, [&](StackLayer& layer, int at, int64_t live, const Operand& weight) {
    layer.weight = &weight;
    return read_conv(call, at, live, rows, weight.rows, weight.cols, layer.shape);
  });
}

}  // namespace flow::cuda
