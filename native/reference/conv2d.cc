// conv2d: y[p, o] = act(Σ_t Σ_i x[p + tap t, i] · w[o, t, i] + bias[o] + addend[p, o]).
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d(const Call& call) {
  const Operand &x = call.in[0], &w = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  const Image image(call);
  FLOW_AGREE(call, image.fits(call, x.rows, w.cols) && is_activation(call.attr[3]));
  FLOW_AGREE(call, w.cols == image.blocks * x.cols && w.dtype == x.dtype && is(y, x.rows, w.rows, x.dtype));
  FLOW_AGREE(call, (bias.absent() || is(bias, 1, w.rows, x.dtype)) && (addend.absent() || like(addend, y)));
  const Activation act = static_cast<Activation>(call.int_attr(3));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> in(x), weight(w), out(y), plus(addend);
    for (int64_t p = 0; p < out.rows; ++p) {
      for (int64_t o = 0; o < out.cols; ++o) {
        double sum = 0;
        for (int64_t t = 0; t < image.taps; ++t) {
          const int64_t from = image.reads(p, t);
          if (from < 0) continue;
          for (int64_t i = 0; i < in.cols; ++i)
            sum += static_cast<double>(in(from, i)) * static_cast<double>(weight(o, image.place(t) * in.cols + i));
        }
        if (!bias.absent()) sum += static_cast<double>(Vector<T>(bias)(o));
        if (!addend.absent()) sum += static_cast<double>(plus(p, o));
        out(p, o) = static_cast<T>(activate(act, sum, call.attr[4]));
      }
    }
  });
}

}  // namespace flow::reference
