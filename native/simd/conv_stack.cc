// A task is a piece of the images, a few at a time; the weights are packed once, before. The pieces' sums of the weights'
// gradients are added in order.
#include "conv_stack.h"

#include "conv_correlation.h"
#include "conv_plan.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kGroupPixels = 256;     // go through all layers together, as far as one image is not more
constexpr int64_t kLeastPixels = 64;      // for less, products are too small
constexpr int64_t kWantedGroups = 8;
constexpr int64_t kMostPartial = 512 << 10;  // elements of all pieces of the gradients

/** How many images go through the layers together. */
int64_t images_of_group(const ConvShape& shape) {
  const int64_t pixels = shape.height * shape.width;
  const int64_t fitting = lesser(kGroupPixels / pixels, shape.images / kWantedGroups);
  const int64_t least = up_div(kLeastPixels, pixels);
  return fitting > least ? fitting : least;
}

/** The shape of a group of images. */
ConvShape with_images(ConvShape shape, int64_t images) {
  shape.images = images;
  return shape;
}

template <class T>
void run_all(const Convolution<T>& v, ConvOrder order, const T* packed) {
  const ConvTasks<T> tasks(v, order, packed);
  for (int64_t task = 0; task < tasks.count; ++task) tasks.run(task);
}

template <class T>
void copy_block(int64_t rows, int64_t columns, const T* from, int64_t from_ld, T* to, int64_t to_ld) {
  for (int64_t r = 0; r < rows; ++r)
    __builtin_memcpy(to + r * to_ld, from + r * from_ld, static_cast<size_t>(columns) * sizeof(T));
}

}  // namespace

template <class T>
void conv_stack_forward(const StackLayer<T>* layers, int64_t count, const T* x, int64_t x_ld, const T* addend,
                        int64_t addend_ld) {
  const ConvShape& first = layers[0].shape;
  if (first.pixels() <= 0) return;
  Convolution<T> whole[max_stack_layers];
  ConvOrder orders[max_stack_layers];
  int64_t starts[max_stack_layers + 1] = {0};
  for (int64_t k = 0; k < count; ++k) {
    const StackLayer<T>& l = layers[k];
    Epilogue<T> epilogue;
    epilogue.bias = l.bias;
    epilogue.act = l.act;
    epilogue.act_param = l.act_param;
    epilogue.accumulate = k == 0 && addend;
    whole[k] = forward_of(l.shape, k == 0 ? x : layers[k - 1].y, k == 0 ? x_ld : layers[k - 1].y_ld, l.w, l.w_ld, l.y,
                          l.y_ld, epilogue);
    orders[k] = order_of(whole[k].moves, whole[k].channels, whole[k].columns);
    starts[k + 1] = starts[k] + panel_sizes(whole[k], orders[k]).elements();
  }
  T* packed = workspace<T>(starts[count], 0);
  for (int64_t k = 0; k < count; ++k) pack_weight(whole[k], orders[k], packed + starts[k]);

  const int64_t together = images_of_group(first), image_pixels = first.height * first.width;
  parallel(up_div(first.images, together), [&](int64_t group) {
    const int64_t image = group * together;
    const int64_t p0 = image * image_pixels;
    for (int64_t k = 0; k < count; ++k) {
      Convolution<T> v = whole[k];
      v.images = lesser(together, first.images - image);
      v.s += p0 * v.s_ld;
      v.c += p0 * v.ldc;
      if (v.epilogue.accumulate)
        copy_block(v.pixels(), v.columns, addend + p0 * addend_ld, addend_ld, v.c, v.ldc);
      run_all(v, orders[k], packed + starts[k]);
    }
  });
}

template <class T>
void conv_stack_backward(const StackLayer<T>* layers, int64_t count, const T* x, int64_t x_ld, const T* dL_dy,
                         int64_t dy_ld, const StackGradient<T>* gradients, T* dL_dx, int64_t dx_ld, T* dL_daddend,
                         int64_t daddend_ld) {
  const ConvShape& first = layers[0].shape;
  const int64_t image_pixels = first.height * first.width;
  // The lowest layer whose pre-activation's gradient anyone wants.
  int64_t lowest = 0;
  if (!dL_dx && !dL_daddend)
    while (lowest < count - 1 && !gradients[lowest].dL_dW && !gradients[lowest].dL_db) ++lowest;

  Convolution<T> whole[max_stack_layers];  // gradients by the layers' inputs
  ConvOrder orders[max_stack_layers];
  int64_t starts[max_stack_layers + 1] = {0};
  int64_t sizes[max_stack_layers + 1] = {0};  // where the sums of the weights' gradients stand
  int64_t widest = 1, outputs = 0;
  for (int64_t k = 0; k < count; ++k) {
    const StackLayer<T>& l = layers[k];
    Epilogue<T> epilogue;
    if (k > 0 && layers[k - 1].act != Activation::none) {
      epilogue.gate = layers[k - 1].y;
      epilogue.gate_ld = layers[k - 1].y_ld;
      epilogue.gate_act = layers[k - 1].act;
      epilogue.gate_param = layers[k - 1].act_param;
    }
    whole[k] = backward_of<T>(l.shape, nullptr, 0, l.w, l.w_ld, nullptr, 0, epilogue);
    orders[k] = order_of(whole[k].moves, whole[k].channels, whole[k].columns);
    const bool runs = k > lowest || (k == 0 && dL_dx);
    starts[k + 1] = starts[k] + (runs ? panel_sizes(whole[k], orders[k]).elements() : 0);
    sizes[k + 1] = sizes[k] + (gradients[k].dL_dW ? l.shape.live * l.shape.inputs * l.shape.outputs : 0);
    if (l.shape.outputs > widest) widest = l.shape.outputs;
    outputs += l.shape.outputs;
  }
  const int64_t total = sizes[count];
  const int64_t together = images_of_group(first), groups = up_div(first.images, together);
  const int64_t fitting = total > 0 ? kMostPartial / total : kWantedGroups;
  const int64_t pieces = clamp_to(lesser(fitting, kWantedGroups), 1, groups > 0 ? groups : 1);
  const int64_t blocks_of_group = up_div(together * image_pixels, kSumRows);

  T* packed = workspace<T>(starts[count], 0);
  for (int64_t k = 0; k < count; ++k)
    if (starts[k + 1] > starts[k]) pack_weight(whole[k], orders[k], packed + starts[k]);
  T* partial = workspace<T>(pieces * total + groups * blocks_of_group * outputs, 6);
  T* sums = partial + pieces * total;  // of the biases: [groups·blocks, outputs] layer after layer

  parallel(groups > 0 ? pieces : 0, [&](int64_t piece) {
    for (int64_t group = piece * groups / pieces; group < (piece + 1) * groups / pieces; ++group) {
      const bool onto = group > piece * groups / pieces;
      const int64_t images = lesser(together, first.images - group * together);
      const int64_t p0 = group * together * image_pixels, pixels = images * image_pixels;
      const StackLayer<T>& last = layers[count - 1];
      const T* d = dL_dy + p0 * dy_ld;  // before the activation of layer k
      int64_t d_ld = dy_ld;
      T* layer_sums = sums + groups * blocks_of_group * outputs;
      for (int64_t k = count - 1; k >= lowest; --k) {
        const StackLayer<T>& l = layers[k];
        const int64_t columns = l.shape.outputs;
        if (k == count - 1 && (last.act != Activation::none || (k == 0 && dL_daddend))) {
          T* own = k == 0 && dL_daddend ? dL_daddend + p0 * daddend_ld : workspace<T>(pixels * columns, 4 + (k & 1));
          const int64_t own_ld = k == 0 && dL_daddend ? daddend_ld : columns;
          copy_block(pixels, columns, d, d_ld, own, own_ld);
          if (last.act != Activation::none)
            finish_block<T>(pixels, columns, own, own_ld, nullptr, Activation::none, T(0), last.y + p0 * last.y_ld,
                            last.y_ld, last.act, static_cast<T>(last.act_param));
          d = own;
          d_ld = own_ld;
        }
        layer_sums -= groups * blocks_of_group * columns;
        if (gradients[k].dL_db) {
          for (int64_t q = 0; q < blocks_of_group; ++q) {
            // A group that is not full has blocks of no rows, whose sums are zero.
            const int64_t r0 = lesser(q * kSumRows, pixels);
            sum_rows(lesser(kSumRows, pixels - r0), columns, d + r0 * d_ld, d_ld,
                     layer_sums + (group * blocks_of_group + q) * columns);
          }
        }
        const T* input = k == 0 ? x + p0 * x_ld : layers[k - 1].y + p0 * layers[k - 1].y_ld;
        const int64_t input_ld = k == 0 ? x_ld : layers[k - 1].y_ld;
        if (gradients[k].dL_dW) {
          const Correlation<T> v = correlation_of(with_images(l.shape, images), d, d_ld, input, input_ld);
          run_piece(v, 0, l.shape.live, 0, up_div(pixels, kPixelBlock), onto, partial + piece * total + sizes[k]);
        }
        if (k == lowest && !(k == 0 && dL_dx)) break;
        Convolution<T> v = whole[k];
        v.images = images;
        v.s = d;
        v.s_ld = d_ld;
        if (v.epilogue.gate) v.epilogue.gate += p0 * v.epilogue.gate_ld;
        if (k == 0) {
          v.c = dL_dx + p0 * dx_ld;
          v.ldc = dx_ld;
        } else if (k == 1 && dL_daddend) {
          v.c = dL_daddend + p0 * daddend_ld;
          v.ldc = daddend_ld;
        } else {
          v.c = workspace<T>(pixels * v.columns, 4 + ((k - 1) & 1));
          v.ldc = v.columns;
        }
        run_all(v, orders[k], packed + starts[k]);
        d = v.c;
        d_ld = v.ldc;
      }
    }
  });

  T* layer_sums = sums;
  for (int64_t k = 0; k < count; ++k) {
    const StackLayer<T>& l = layers[k];
    const StackGradient<T>& g = gradients[k];
    if (g.dL_db) add_sums(groups * blocks_of_group, l.shape.outputs, layer_sums, g.dL_db);
    layer_sums += groups * blocks_of_group * l.shape.outputs;
    if (!g.dL_dW) continue;
    if (l.shape.live < l.shape.blocks || groups <= 0)
      for (int64_t o = 0; o < l.shape.outputs; ++o) zero(g.dL_dW + o * g.dw_ld, l.shape.blocks * l.shape.inputs);
    if (l.shape.live > 0 && groups > 0) write_weight(l.shape, partial + sizes[k], pieces, total, g.dL_dW, g.dw_ld);
  }
}

#define FLOW_INSTANTIATE(T)                                                                                             \
  template void conv_stack_forward<T>(const StackLayer<T>*, int64_t, const T*, int64_t, const T*, int64_t);             \
  template void conv_stack_backward<T>(const StackLayer<T>*, int64_t, const T*, int64_t, const T*, int64_t,             \
                                       const StackGradient<T>*, T*, int64_t, T*, int64_t);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
