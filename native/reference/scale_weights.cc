// scale_weights: the weights of a list of layers times their scales. See native/ops/scale_weights.cc for the operands.
#include "reference/scale_weights.h"

namespace flow::reference {

bool scale_weights(const Call& call) {
  const int n = call.n_in / 4;
  FLOW_AGREE(call, call.n_in == 4 * n && call.n_out == 2 * n);
  for (int k = 0; k < n; ++k) {
    const Operand *in = call.in + 4 * k, *out = call.out + 2 * k;
    const ScaledLayer layer{in, in + 1, in + 2, in + 3, call.attr[0]};
    FLOW_AGREE(call, layer.fits() && like(out[0], in[0]) && out[1].absent() == in[1].absent());
    FLOW_AGREE(call, out[1].absent() || is_vector(out[1], in[0].rows, in[0].dtype));
    const bool done = for_float(call, in[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      const Matrix<T> v(in[0]), scaled(out[0]);
      const Vector<T> bias(in[1]), scaled_bias(out[1]);
      for (int64_t o = 0; o < in[0].rows; ++o) {
        const double outer = layer.outer<T>(o), scale = outer * layer.inner<T>(o);
        for (int64_t i = 0; i < in[0].cols; ++i)
          scaled(o, i) = static_cast<T>(scale * static_cast<double>(v(o, i)));
        if (!in[1].absent()) scaled_bias(o) = static_cast<T>(outer * static_cast<double>(bias(o)));
      }
    });
    if (!done) return false;
  }
  return true;
}

}  // namespace flow::reference
