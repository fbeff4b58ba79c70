// scale_weights_grad: backward of scale_weights. See native/ops/scale_weights_grad.cc for the operands.
#include "reference/scale_weights.h"

namespace flow::reference {

bool scale_weights_grad(const Call& call) {
  const int n = call.n_in / 6;
  FLOW_AGREE(call, call.n_in == 6 * n && call.n_out == 4 * n);
  for (int k = 0; k < n; ++k) {
    const Operand *in = call.in + 6 * k, *out = call.out + 4 * k;
    const ScaledLayer layer{in, in + 1, in + 2, in + 3, call.attr[0]};
    const Operand &dw = in[4], &db = in[5];
    const int64_t rows = in[0].rows;
    FLOW_AGREE(call, layer.fits() && like(dw, in[0]) && like(out[0], in[0]));
    FLOW_AGREE(call, db.absent() || (!in[1].absent() && is_vector(db, rows, in[0].dtype)));
    for (int j = 1; j < 4; ++j) FLOW_AGREE(call, out[j].absent() || (!in[j].absent() && is_vector(out[j], rows, in[0].dtype)));
    const bool done = for_float(call, in[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      const Matrix<T> v(in[0]), d(dw), to(out[0]);
      const Vector<T> bias(in[1]), d_bias(db), to_bias(out[1]), to_scale(out[2]), to_gain(out[3]);
      for (int64_t o = 0; o < rows; ++o) {
        const double outer = layer.outer<T>(o), scale = outer * layer.inner<T>(o);
        const double norm = in[3].absent() ? 0 : layer.norm<T>(o);
        double dot = 0, beside = 0;
        for (int64_t i = 0; i < in[0].cols; ++i) dot += static_cast<double>(v(o, i)) * static_cast<double>(d(o, i));
        for (int64_t i = 0; i < in[0].cols; ++i) {
          const double along = in[3].absent() ? 0 : static_cast<double>(v(o, i)) * dot / (norm * norm);
          to(o, i) = static_cast<T>(scale * (static_cast<double>(d(o, i)) - along));
        }
        if (!db.absent()) beside = outer * static_cast<double>(d_bias(o));
        if (!out[1].absent()) to_bias(o) = static_cast<T>(beside);
        if (!in[1].absent()) beside *= static_cast<double>(bias(o));
        if (!out[2].absent()) to_scale(o) = static_cast<T>(call.attr[0] * (scale * dot + beside));
        if (!out[3].absent()) to_gain(o) = static_cast<T>(outer * dot / norm);
      }
    });
    if (!done) return false;
  }
  return true;
}

}  // namespace flow::reference
