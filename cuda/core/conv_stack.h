// What conv_stack and its gradient share: the layers in the attributes, which are their number and for each layer the number of
// live taps, then what core/conv.h lists.
#pragma once
#include "cuda/core/conv.h"

namespace flow::cuda {

inline constexpr int64_t max_stack_layers = 16;

struct StackLayer {
  ConvShape shape;
  Activation act = Activation::none;
  double act_param = 0;
  const Operand* weight = nullptr;
};

/** Shapes and activations of the layers; weight k is input `first` + 2k. Layer k has the outputs of layer k − 1 as inputs. */
inline bool read_stack(const Call& call, int64_t count, int first, int64_t rows, int64_t inputs, StackLayer* layers) {
  int at = 1;
  for (int64_t k = 0; k < count; ++k) {
    FLOW_CHECK(call, at + 1 + conv_header <= call.n_attr, "attributes: expected %lld layers, got %d numbers", ll(count), call.n_attr);
    FLOW_CHECK(call, whole_between(call.attr[at], 0, (call.n_attr - at - 1 - conv_header) / 3),
               "attributes: expected three numbers a live tap, got %g taps", call.attr[at]);
    const int64_t live = call.int_attr(at++);
    const Operand& weight = call.in[first + 2 * k];
    StackLayer& layer = layers[k];
    if (!read_conv(call, at, live, rows, weight.rows, weight.cols, layer.shape) ||
        !read_activation(call, at + 3, layer.act, layer.act_param) ||
        !check_shape(call, weight, "weight", weight.rows, layer.shape.blocks * inputs, call.in[0].dtype))
      return false;
    FLOW_CHECK(call, layer.shape.height == layers[0].shape.height && layer.shape.width == layers[0].shape.width,
               "image: expected %lld × %lld in all layers, got %lld × %lld", ll(layers[0].shape.height), ll(layers[0].shape.width),
               ll(layer.shape.height), ll(layer.shape.width));
    layer.weight = &weight;
    inputs = layer.shape.outputs;
    at += conv_header + static_cast<int>(3 * live);
  }
  FLOW_CHECK(call, at == call.n_attr, "attributes: expected %d numbers, got %d", at, call.n_attr);
  return true;
}

/** The number of layers, or 0 after call.fail(): there are `fixed` inputs and two a layer. */
inline int64_t stack_count(const Call& call, int fixed) {
  const double count = call.n_attr > 0 ? call.attr[0] : 0;
  if (!whole_between(count, 1, max_stack_layers) || call.n_in != fixed + 2 * static_cast<int>(count)) {
    call.fail("layers: expected 1 to %d with two inputs each, got %g and %d inputs", static_cast<int>(max_stack_layers), count,
              call.n_in);
    return 0;
  }
  return static_cast<int64_t>(count);
}

}  // namespace flow::cuda
