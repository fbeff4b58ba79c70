// The convolution and its gradient by the input, in parallel.
#include "conv.h"

#include "conv_plan.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void run(const Convolution<T>& v) {
  if (v.pixels() <= 0 || v.columns <= 0) return;
  const ConvOrder order = order_of(v.moves, v.channels, v.columns);
  if (order == ConvOrder::plain) {
    const PackSource<T> b = v.source(0);
    gemm<T>(Trans::no, v.transposed ? Trans::yes : Trans::no, v.pixels(), v.columns, v.channels, v.s, v.s_ld, b.b, b.ldb,
            v.c, v.ldc, v.epilogue);
    return;
  }
  T* packed = workspace<T>(panel_sizes(v, order).elements(), 0);
  pack_weight(v, order, packed);
  const ConvTasks<T> tasks(v, order, packed);
  parallel(tasks.count, [&](int64_t task) { tasks.run(task); });
}

}  // namespace

template <class T>
void conv_forward(const ConvShape& shape, const T* x, int64_t x_ld, const T* w, int64_t w_ld, T* y, int64_t y_ld,
                  const Epilogue<T>& epilogue) {
  run(forward_of(shape, x, x_ld, w, w_ld, y, y_ld, epilogue));
}

template <class T>
void conv_grad_input(const ConvShape& shape, const T* dL_dy, int64_t dy_ld, const T* w, int64_t w_ld, T* dL_dx,
                     int64_t dx_ld, const Epilogue<T>& epilogue) {
  run(backward_of(shape, dL_dy, dy_ld, w, w_ld, dL_dx, dx_ld, epilogue));
}

#define FLOW_INSTANTIATE(T)                                                                                        \
  template void conv_forward<T>(const ConvShape&, const T*, int64_t, const T*, int64_t, T*, int64_t,               \
                                const Epilogue<T>&);                                                               \
  template void conv_grad_input<T>(const ConvShape&, const T*, int64_t, const T*, int64_t, T*, int64_t,            \
                                   const Epilogue<T>&);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
