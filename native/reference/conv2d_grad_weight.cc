// conv2d_grad_weight: dL_dW[o, t, i] = Σ_p dL_dy[p, o] · x[p + tap t, i]; 0 where a tap is not live. dL_db[o] = Σ_p dL_dy[p, o].
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  const Image image(call);
  FLOW_AGREE(call, image.fits(call, dL_dy.rows, dL_dW.cols) && dL_dW.cols == image.blocks * x.cols);
  FLOW_AGREE(call, is(x, dL_dy.rows, x.cols, dL_dy.dtype) && is(dL_dW, dL_dy.cols, dL_dW.cols, dL_dy.dtype));
  FLOW_AGREE(call, call.n_out == 1 || (call.n_out == 2 && is(call.out[1], 1, dL_dy.cols, dL_dy.dtype)));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> dy(dL_dy), in(x), dw(dL_dW);
    for (int64_t o = 0; o < dw.rows; ++o)
      for (int64_t k = 0; k < dw.cols; ++k) dw(o, k) = 0;
    for (int64_t o = 0; o < dw.rows; ++o) {
      for (int64_t t = 0; t < image.taps; ++t) {
        for (int64_t i = 0; i < in.cols; ++i) {
          double sum = 0;
          for (int64_t p = 0; p < in.rows; ++p) {
            const int64_t from = image.reads(p, t);
            if (from >= 0) sum += static_cast<double>(dy(p, o)) * static_cast<double>(in(from, i));
          }
          dw(o, image.place(t) * in.cols + i) = static_cast<T>(sum);
        }
      }
      if (call.n_out < 2) continue;
      double sum = 0;
      for (int64_t p = 0; p < dy.rows; ++p) sum += static_cast<double>(dy(p, o));
      Vector<T>(call.out[1])(o) = static_cast<T>(sum);
    }
  });
}

}  // namespace flow::reference
