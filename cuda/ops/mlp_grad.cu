// mlp_grad: backward of mlp.
// in: dL_dy, x, a gradient that dL_dx is added to or absent, (weight, extents or absent) a layer, the values of each layer but the last;
// out, each present or absent: dL_dx, dL_daddend, then (dL_dweight, dL_dbias) a layer; attributes: activation, its parameter.
//
// Floor: that of each layer's two products. From the last layer to the first, a launch a layer that is not large: the gradients of weight and bias beside
// that of the input, which has the gate of the activation in its epilogue.
#include "cuda/core/linear.h"
// After the checks that it calls.
#include "ops/mlp_operands.h"

namespace flow::cuda {
namespace {

bool mlp_grad(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &so_far = call.in[2], &d_x = call.out[0], &d_addend = call.out[1];
  MlpNetwork net{};
  const Operand* values = nullptr;
  if (!read_mlp_grad(call, net, values)) return false;
  const int64_t layers = net.layers;
  if (x.rows == 0 && d_x.count() + d_addend.count() == 0) {
    bool any = false;
    for (int k = 2; k < call.n_out; ++k) any |= !call.out[k].absent();
    if (!any) return true;
  }
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    // Two gradients by values, used in turn, and the parts of a layer's products.
    int64_t widest = 1;
    size_t product_memory = 0;
    for (int64_t l = 0; l < layers; ++l) {
      const MlpLayer& layer = net.layer[l];
      if (l > 0) widest = max_of(widest, ceil_div(layer.inputs, 4) * 4);
      const size_t bytes = grad_memory_bytes<T>(net.rows, layer.units, layer.inputs, layer.extents != nullptr);
      product_memory = bytes > product_memory ? bytes : product_memory;
    }
    const size_t value_bytes = static_cast<size_t>(ceil_div(net.rows * widest, 64) * 64) * sizeof(T);
    char* memory = static_cast<char*>(workspace(2 * value_bytes + product_memory + 256));
    if (!memory) return call.fail("the GPU has no memory for the gradients of %lld layers", ll(layers));
    void* parts = memory + 2 * value_bytes;

    Operand dz = dL_dy;
    for (int64_t l = layers - 1; l >= 0; --l) {
      const MlpLayer& layer = net.layer[l];
      const Operand &d_weight = call.out[2 + 2 * l], &d_bias = call.out[3 + 2 * l];
      Operand to = d_x;
      if (l == 1 && !d_addend.absent()) to = d_addend;
      else if (l > 0) to = {memory + (l & 1) * value_bytes, x.dtype, net.rows, layer.inputs, ceil_div(layer.inputs, 4) * 4};
      Epilogue<T> epilogue{to.as<T>(), to.ld};
      if (l == 0) {
        epilogue.addend = so_far.as<const T>();
        epilogue.addend_ld = so_far.ld;
      } else if (net.act != Activation::none) {
        epilogue.gate = values[l - 1].as<const T>();
        epilogue.gate_ld = values[l - 1].ld;
        epilogue.gate_act = net.act;
        epilogue.gate_param = static_cast<T>(net.act_param);
      }
      epilogue.settle();
      if (!linear_grads<T>(call, dz, l == 0 ? x : values[l - 1], *layer.weight, layer.extents, d_weight, d_bias.as<T>(),
                           l > 0 || !d_x.absent() ? &epilogue : nullptr, parts))
        return false;
      if (l == 0 && layers == 1 && !d_addend.absent()) copy_rows<T>(dz, d_addend);
      dz = to;
    }
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(mlp_grad) = {"mlp_grad", mlp_grad, 5, 2 + 3 * max_layers, -1, 2};

}  // namespace flow::cuda
