// conv2d_grad_input: dL_dx[q, i] = Σ_t Σ_o dL_dy[q − tap t, o] · w[o, t, i] (· act'(x[q, i]), act' written in the output x).
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d_grad_input(const Call& call) {
  const Operand &dL_dy = call.in[0], &w = call.in[1], &x = call.in[2], &dL_dx = call.out[0];
  const Image image(call);
  FLOW_AGREE(call, image.fits(call, dL_dy.rows, w.cols) && is_activation(call.attr[3]));
  FLOW_AGREE(call, is(w, dL_dy.cols, w.cols, dL_dy.dtype));
  FLOW_AGREE(call, is(dL_dx, dL_dy.rows, w.cols / image.blocks, dL_dy.dtype) && (x.absent() || like(x, dL_dx)));
  const Activation act = static_cast<Activation>(call.int_attr(3));
  FLOW_AGREE(call, act != Activation::gelu && (x.absent() == (act == Activation::none) || dL_dx.count() == 0));
  return for_float(call, w.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> dy(dL_dy), weight(w), y(x), dx(dL_dx);
    for (int64_t q = 0; q < dx.rows; ++q) {
      for (int64_t i = 0; i < dx.cols; ++i) {
        double sum = 0;
        for (int64_t t = 0; t < image.taps; ++t) {
          const int64_t from = image.reads(q, t, -1);
          if (from < 0) continue;
          for (int64_t o = 0; o < dy.cols; ++o)
            sum += static_cast<double>(dy(from, o)) * static_cast<double>(weight(o, image.place(t) * dx.cols + i));
        }
        if (act == Activation::relu) {
          sum = y(q, i) > 0 ? sum : 0;  // a choice: 0·inf is NaN
        } else if (act != Activation::none) {
          sum *= slope_of(act, y(q, i), call.attr[4]);
        }
        dx(q, i) = static_cast<T>(sum);
      }
    }
  });
}

}  // namespace flow::reference
