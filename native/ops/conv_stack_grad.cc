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
  FLOW_CHECK(call, call.n_out == 2 + 2 * count, "outputs: expected %lld, got %d", static_cast<long long>(2 + 2 * count),
             call.n_out);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    StackLayer<T> layers[kMostStackLayers];
    StackGradient<T> gradients[kMostStackLayers];
    if (!read_stack(call, count, 2, x.rows, x.cols, layers)) return false;
    for (int64_t k = 0; k < count; ++k) {
      const Operand &y = call.in[3 + 2 * k], &dL_dW = call.out[2 + 2 * k], &dL_db = call.out[3 + 2 * k];
      const ConvShape& shape = layers[k].shape;
      const bool needs_y = k < count - 1 || layers[k].act != Activation::none;
      FLOW_CHECK(call, !needs_y || !y.absent() || x.rows * shape.outputs == 0, "y: expected the output of layer %lld, got none",
                 static_cast<long long>(k));
      FLOW_CHECK(call, layers[k].act != Activation::gelu,
                 "activation: the derivative of gelu is no function of its output");
      if (!y.absent() && !check_shape(call, y, "y", x.rows, shape.outputs, x.dtype)) return false;
      if (!dL_dW.absent() && !check_shape(call, dL_dW, "dL_dW", shape.outputs, shape.blocks * shape.inputs, x.dtype))
        return false;
      if (!dL_db.absent() && !check_shape(call, dL_db, "dL_db", 1, shape.outputs, x.dtype)) return false;
      layers[k].y = y.as<T>();
      layers[k].y_ld = y.ld;
      gradients[k] = {dL_dW.as<T>(), dL_dW.ld, dL_db.as<T>()};
    }
    if (!check_shape(call, dL_dy, "dL_dy", x.rows, layers[count - 1].shape.outputs, x.dtype)) return false;
    if (!dL_dx.absent() && !check_shape(call, dL_dx, "dL_dx", x.rows, x.cols, x.dtype)) return false;
    if (!dL_daddend.absent() && !check_shape(call, dL_daddend, "dL_daddend", x.rows, layers[0].shape.outputs, x.dtype))
      return false;
    conv_stack_backward<T>(layers, count, x.as<T>(), x.ld, dL_dy.as<T>(), dL_dy.ld, gradients, dL_dx.as<T>(), dL_dx.ld,
                           dL_daddend.as<T>(), dL_daddend.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(conv_stack_grad) = {"conv_stack_grad", conv_stack_grad, 4, 2 + 2 * kMostStackLayers, -1, -1};

}  // namespace flow::FLOW_ISA
