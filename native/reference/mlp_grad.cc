// mlp_grad: backward of mlp. in: dL_dy, x, what dL_dx is added to or absent, (weight, extents) a layer, the values of the layers but the last; out: dL_dx,
// dL_daddend, (dL_dweight, dL_dbias) a layer.
#include "reference/mlp.h"

namespace flow::reference {

bool mlp_grad(const Call& call) {
  const int layers = (call.n_in - 2) / 3;
  FLOW_AGREE(call, is_activation(call.attr[0]) && layers >= 1 && call.n_in == 2 + 3 * layers && call.n_out == 2 + 2 * layers);
  const Operand &dL_dy = call.in[0], &x = call.in[1], &so_far = call.in[2];
  const auto input_of = [&](int l) -> const Operand& { return l == 0 ? x : call.in[2 + 2 * layers + l]; };
  for (int l = 0; l < layers; ++l) {
    const Operand &weight = call.in[3 + 2 * l], &dw = call.out[2 + 2 * l], &db = call.out[3 + 2 * l];
    FLOW_AGREE(call, is_layer(weight, call.in[4 + 2 * l], input_of(l).cols, x.dtype));
    FLOW_AGREE(call, is(input_of(l), x.rows, weight.cols, x.dtype) && (dw.absent() || like(dw, weight)));
    FLOW_AGREE(call, db.absent() || is(db, 1, weight.rows, x.dtype));
    if (l + 1 == layers) FLOW_AGREE(call, is(dL_dy, x.rows, weight.rows, x.dtype));
  }
  const Operand &dL_dx = call.out[0], &dL_daddend = call.out[1];
  FLOW_AGREE(call, (dL_dx.absent() || like(dL_dx, x)) && (dL_daddend.absent() || is(dL_daddend, x.rows, call.in[3].rows, x.dtype)) &&
                       (so_far.absent() || like(so_far, x)));
  const Activation act = static_cast<Activation>(call.int_attr(0));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> dx(dL_dx), plus(dL_daddend), before(so_far);
    std::vector<double> dz(static_cast<size_t>(dL_dy.count()));
    for (int64_t r = 0; r < dL_dy.rows; ++r)
      for (int64_t o = 0; o < dL_dy.cols; ++o)
        dz[static_cast<size_t>(r * dL_dy.cols + o)] = static_cast<double>(Matrix<T>(dL_dy)(r, o));
    for (int l = layers - 1; l >= 0; --l) {
      const Operand &extents = call.in[4 + 2 * l], &dw = call.out[2 + 2 * l], &db = call.out[3 + 2 * l];
      const Matrix<T> weight(call.in[3 + 2 * l]), h(input_of(l)), to_weight(dw);
      const Vector<T> bias(db);
      const int64_t units = weight.rows, inputs = weight.cols;
      const auto d = [&](int64_t r, int64_t o) { return dz[static_cast<size_t>(r * units + o)]; };
      for (int64_t o = 0; o < units; ++o) {
        double total = 0;
        for (int64_t r = 0; r < h.rows; ++r) total += d(r, o);
        if (!db.absent()) bias(o) = static_cast<T>(total);
        for (int64_t i = 0; i < inputs && !dw.absent(); ++i) {
          double sum = 0;
          for (int64_t r = 0; r < h.rows; ++r)
            if (sees(extents, o, i)) sum += d(r, o) * static_cast<double>(h(r, i));
          to_weight(o, i) = static_cast<T>(sum);
        }
      }
      if (l == 0 && !dL_daddend.absent())
        for (int64_t r = 0; r < h.rows; ++r)
          for (int64_t o = 0; o < units; ++o) plus(r, o) = static_cast<T>(d(r, o));
      std::vector<double> below(static_cast<size_t>(h.rows * inputs));
      for (int64_t r = 0; r < h.rows; ++r) {
        for (int64_t i = 0; i < inputs; ++i) {
          double sum = 0;
          for (int64_t o = 0; o < units; ++o)
            if (sees(extents, o, i)) sum += d(r, o) * static_cast<double>(weight(o, i));
          if (l > 0) sum *= slope_of(act, h(r, i), call.attr[1]);
          if (l == 0 && !dL_dx.absent())
            dx(r, i) = static_cast<T>(sum + (so_far.absent() ? 0 : static_cast<double>(before(r, i))));
          below[static_cast<size_t>(r * inputs + i)] = sum;
        }
      }
      dz = below;
    }
  });
}

}  // namespace flow::reference
