// What conv_stack and its gradient (ops/conv_stack_operands.h) share: the layers as simd/conv_stack.h takes them.
#pragma once
#include "ops/conv2d.h"
#include "simd/conv_stack.h"
// After the constant of the device.
#include "ops/conv_stack_operands.h"

namespace flow::FLOW_ISA {

// Weight k is input `first` + 2k.
template <class T>
inline bool read_stack(const Call& call, int64_t count, int first, int64_t rows, int64_t inputs, StackLayer<T>* layers) {
  ConvTap* taps = tap_space(call.n_attr / 3);
  return read_stack_layers(call, count, first, inputs, layers, [&](StackLayer<T>& layer, int at, int64_t live, const Operand& weight) {
    layer.w = weight.as<T>();
    layer.w_ld = weight.ld;
    layer.bias = nullptr;
    layer.y = nullptr;
    layer.y_ld = 0;
    ConvTap* own = taps;
    taps += live;
    return read_conv(call, at, live, rows, weight.rows, weight.cols, own, layer.shape);
  });
}

}  // namespace flow::FLOW_ISA
