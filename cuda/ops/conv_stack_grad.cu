// conv_stack_grad: the gradients of conv_stack by all that it takes.
// in: dL_dy of the last layer, x, then weight and y of each layer (y of the last may be absent where it has no activation);
// out, each perhaps absent: dL_dx, dL_daddend, then dL_dW and dL_db of each layer; attributes: core/conv_stack.h.
//
// Floor: that of each layer's two products. From the last layer to the first: weight and bias in one launch (and one that adds the
// parts), then the input with the gate of the activation before it in its epilogue; nothing below the last gradient that is wanted.
#include "cuda/core/conv_stack.h"

namespace flow::cuda {
namespace {

/** The gate of an activation on its own, for the last layer. */
template <class T>
__global__ void __launch_bounds__(block_threads) gate_rows(Epilogue<T> epilogue, const T* d, int64_t d_ld, int64_t rows, int64_t cols) {
  const int64_t groups = (cols + 3) / 4, stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t g = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; g < rows * groups; g += stride) {
    const int64_t i = g / groups, j = g % groups * 4;
    const int live = cols - j < 4 ? static_cast<int>(cols - j) : 4;
    T v[4];
    Epilogue<T>::read(v, d + i * d_ld + j, live, false);
    epilogue(0, i, j, live, v);
  }
}

template <class T>
Epilogue<T> gated_to(const Operand& to, const StackLayer& layer, const Operand& y) {
  Epilogue<T> epilogue{to.as<T>(), to.ld};
  if (layer.act != Activation::none) {
    epilogue.gate = y.as<const T>();
    epilogue.gate_ld = y.ld;
    epilogue.gate_act = layer.act;
    epilogue.gate_param = static_cast<T>(layer.act_param);
  }
  return epilogue.settle();
}

template <class T>
bool run(const Call& call, const StackLayer* layers, int64_t count) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &d_x = call.out[0], &d_addend = call.out[1];
  const int64_t rows = x.rows;
  const auto y_of = [&](int64_t k) -> const Operand& { return call.in[3 + 2 * k]; };
  const auto d_weight = [&](int64_t k) -> const Operand& { return call.out[2 + 2 * k]; };
  const auto d_bias = [&](int64_t k) -> const Operand& { return call.out[3 + 2 * k]; };
  // The first layer whose dL_dz is wanted.
  int64_t last = 0;
  if (d_x.absent() && d_addend.absent())
    while (last < count && d_weight(last).absent() && d_bias(last).absent()) ++last;
  if (last == count) return true;

  int64_t widest = 1;
  size_t product_memory = 0;
  for (int64_t k = 0; k < count; ++k) {
    const ConvShape& s = layers[k].shape;
    widest = max_of(widest, ceil_div(s.outputs, 4) * 4);
    for (const ProductPlan<T>& plan : {ProductPlan<T>(grad_input_shape(s, rows)), ProductPlan<T>(grad_weight_shape(s, rows), true)})
      product_memory = plan.bytes > product_memory ? plan.bytes : product_memory;
  }
  // Two gradients by outputs of layers, used in turn, and the parts of one product after the other.
  const size_t value_bytes = static_cast<size_t>(ceil_div(rows * widest, 64) * 64) * sizeof(T);
  char* memory = static_cast<char*>(workspace(2 * value_bytes + product_memory + 256));
  if (!memory) return call.fail("the GPU has no memory for the gradients of %lld layers", ll(count));
  void* parts = memory + 2 * value_bytes;
  const auto place = [&](int64_t k) {
    const int64_t outputs = layers[k].shape.outputs;
    if (k == 0 && !d_addend.absent()) return d_addend;
    return Operand{memory + static_cast<size_t>(k & 1) * value_bytes, x.dtype, rows, outputs, ceil_div(outputs, 4) * 4};
  };

  Operand dz = dL_dy;
  if (layers[count - 1].act != Activation::none && rows > 0) {
    dz = place(count - 1);
    FLOW_LAUNCH((gate_rows<T>), blocks_for(rows * ceil_div(dz.cols, 4)), block_threads, 0,
                (gated_to<T>(dz, layers[count - 1], y_of(count - 1))), dL_dy.as<const T>(), dL_dy.ld, rows, dz.cols);
  } else if (count == 1 && !d_addend.absent()) {
    copy_rows<T>(dL_dy, d_addend);
  }
  for (int64_t k = count - 1; k >= last; --k) {
    const ConvShape& shape = layers[k].shape;
    if (!d_weight(k).absent()) {
      if (!conv_grad_weight<T>(call, shape, dz, k == 0 ? x : y_of(k - 1), d_weight(k), d_bias(k).template as<T>(), parts)) return false;
    } else if (!d_bias(k).absent() && !column_sums<T>(call, dz, grad_weight_shape(shape, rows), d_bias(k).template as<T>())) {
      return false;
    }
    if (k == last) break;
    const Operand to = place(k - 1);
    if (!conv_grad_input<T>(call, shape, dz, *layers[k].weight, gated_to<T>(to, layers[k - 1], y_of(k - 1)), parts)) return false;
    dz = to;
  }
  if (!d_x.absent()) {
    Epilogue<T> epilogue{d_x.as<T>(), d_x.ld};
    if (!conv_grad_input<T>(call, layers[0].shape, dz, *layers[0].weight, epilogue.settle(), parts)) return false;
  }
  return launched(call);
}

bool conv_stack_grad(const Call& call) {
  const Operand& x = call.in[1];
  const int64_t count = stack_count(call, 2);
  if (count == 0) return false;
  FLOW_CHECK(call, call.n_out == 2 + 2 * count, "outputs: expected %lld, got %d", ll(2 + 2 * count), call.n_out);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    StackLayer layers[max_stack_layers];
    if (!read_stack(call, count, 2, x.rows, x.cols, layers) || !check_stack_gradients(call, count, layers)) return false;
    return run<T>(call, layers, count);
  });
}

}  // namespace

FLOW_DEFINE_OP(conv_stack_grad) = {"conv_stack_grad", conv_stack_grad, 4, 2 + 2 * max_stack_layers, -1, -1};

}  // namespace flow::cuda
