// What conv_stack and its gradient read of their layers, on either device: attributes are the number of layers and for each the number of
// live taps, then what ops/conv2d_operands.h lists. Comes after max_stack_layers of the device.
#pragma once
#include "ops/conv2d_operands.h"

namespace flow::FLOW_ISA {

/**
 * Shapes and activations of the layers; weight k is input `first` + 2k. Layer k has the outputs of layer k − 1 as inputs.
 * read(layer, at, live, weight) reads the convolution.
 */
template <class Layer, class Read>
bool read_stack_layers(const Call& call, int64_t count, int first, int64_t inputs, Layer* layers, const Read& read) {
  int at = 1;
  for (int64_t k = 0; k < count; ++k) {
    FLOW_CHECK(call, at + 1 + conv_header <= call.n_attr, "attributes: expected %lld layers, got %d numbers", ll(count), call.n_attr);
    FLOW_CHECK(call, whole_between(call.attr[at], 0, (call.n_attr - at - 1 - conv_header) / 3),
               "attributes: expected three numbers a live tap, got %g taps", call.attr[at]);
    const int64_t live = call.int_attr(at++);
    const Operand& weight = call.in[first + 2 * k];
    Layer& layer = layers[k];
    if (!read(layer, at, live, weight) || !read_activation(call, at + 3, layer.act, layer.act_param) ||
        !check_shape(call, weight, "weight", weight.rows, layer.shape.blocks * inputs, call.in[0].dtype))
      return false;
    FLOW_CHECK(call, layer.shape.height == layers[0].shape.height && layer.shape.width == layers[0].shape.width,
               "image: expected %lld × %lld in all layers, got %lld × %lld", ll(layers[0].shape.height), ll(layers[0].shape.width),
               ll(layer.shape.height), ll(layer.shape.width));
    inputs = layer.shape.outputs;
    at += conv_header + static_cast<int>(3 * live);
  }
  FLOW_CHECK(call, at == call.n_attr, "attributes: expected %d numbers, got %d", at, call.n_attr);
  return true;
}

/** The number of layers, or 0 after call.fail(): there are `fixed` inputs and two a layer. */
inline int64_t stack_count(const Call& call, int fixed) {
  const double count = call.n_attr > 0 ? call.attr[0] : 0;
  if (whole_between(count, 1, max_stack_layers) && call.n_in == fixed + 2 * static_cast<int>(count)) return static_cast<int64_t>(count);
  call.fail("layers: expected 1 to %d with two inputs each, got %g and %d inputs", static_cast<int>(max_stack_layers), count, call.n_in);
  return 0;
}

/** Biases, outputs and addend of conv_stack. */
template <class Layer>
bool check_stack_outputs(const Call& call, int64_t count, const Layer* layers) {
  const Operand &x = call.in[0], &addend = call.in[1];
  for (int64_t k = 0; k < count; ++k) {
    const Operand &bias = call.in[3 + 2 * k], &y = call.out[k];
    const int64_t outputs = layers[k].shape.outputs;
    if (!bias.absent() && !check_shape(call, bias, "bias", 1, outputs, x.dtype)) return false;
    if (!check_shape(call, y, "y", x.rows, outputs, x.dtype)) return false;
  }
  return addend.absent() || check_shape(call, addend, "addend", x.rows, layers[0].shape.outputs, x.dtype);
}

/** Outputs of the layers and gradients of conv_stack_grad. */
template <class Layer>
bool check_stack_gradients(const Call& call, int64_t count, const Layer* layers) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dx = call.out[0], &dL_daddend = call.out[1];
  for (int64_t k = 0; k < count; ++k) {
    const Operand &y = call.in[3 + 2 * k], &dL_dW = call.out[2 + 2 * k], &dL_db = call.out[3 + 2 * k];
    const auto& shape = layers[k].shape;
    const bool needs_y = k < count - 1 || layers[k].act != Activation::none;
    FLOW_CHECK(call, !needs_y || !y.absent() || x.rows * shape.outputs == 0, "y: expected the output of layer %lld, got none", ll(k));
    FLOW_CHECK(call, layers[k].act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
    if (!y.absent() && !check_shape(call, y, "y", x.rows, shape.outputs, x.dtype)) return false;
    if (!dL_dW.absent() && !check_shape(call, dL_dW, "dL_dW", shape.outputs, shape.blocks * shape.inputs, x.dtype)) return false;
    if (!dL_db.absent() && !check_shape(call, dL_db, "dL_db", 1, shape.outputs, x.dtype)) return false;
  }
  if (!check_shape(call, dL_dy, "dL_dy", x.rows, layers[count - 1].shape.outputs, x.dtype)) return false;
  if (!dL_dx.absent() && !check_shape(call, dL_dx, "dL_dx", x.rows, x.cols, x.dtype)) return false;
  return dL_daddend.absent() || check_shape(call, dL_daddend, "dL_daddend", x.rows, layers[0].shape.outputs, x.dtype);
}

}  // namespace flow::FLOW_ISA
