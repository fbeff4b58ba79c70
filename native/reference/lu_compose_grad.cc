// lu_compose_grad: the gradients of the triangles of each matrix of a list, given dL_dW and dL_dlog_det. Attributes: forms.
#include "reference/lu.h"

namespace flow::reference {
namespace {

bool one(const Call& call, int k) {
  const Operand *in = call.in + 6 * k, *to = call.out + 2 * k;
  const double form = call.attr[k];
  LuMatrix m;
  if (!m.read(call, 6 * k, form)) return false;
  const Operand &dw = in[4], &d_log_det = in[5], &d_factors = to[0], &d_scale = to[1];
  const DType type = in[0].dtype;
  FLOW_AGREE(call, is(dw, m.n, m.n, type) && is(d_factors, m.n, m.n, type) && is_vector(d_scale, m.n, type));
  FLOW_AGREE(call, d_log_det.absent() || is_scalar(d_log_det));
  const double beside = d_log_det.absent() ? 0 : *d_log_det.as<double>();
  const bool product = form == 0, has_lower = form != 2, has_upper = form != 1;
  return for_float(call, type, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> g(dw), out(d_factors);
    const Vector<T> scale(d_scale);
    const auto by = [&](int64_t i, int64_t j) { return static_cast<double>(g(m.rows[static_cast<size_t>(i)], j)); };
    for (int64_t i = 0; i < m.n; ++i) {
      for (int64_t j = 0; j < m.n; ++j) {
        double by_lower = 0, by_upper = 0;
        for (int64_t c = 0; c < m.n; ++c) {
          by_lower += by(i, c) * m.at2(m.upper, j, c);
          by_upper += m.at2(m.lower, c, i) * by(c, j);
        }
        if (!product) by_lower = by_upper = by(i, j);
        out(i, j) = static_cast<T>(i > j && has_lower ? by_lower : i < j && has_upper ? by_upper : 0);
        if (i == j) scale(i) = static_cast<T>(by_upper * m.scale[static_cast<size_t>(i)] + beside);
      }
    }
  });
}

}  // namespace

bool lu_compose_grad(const Call& call) {
  FLOW_AGREE(call, is_lu_list(call, 6, 2));
  for (int k = 0; k < call.n_attr; ++k)
    if (!one(call, k)) return false;
  return true;
}

}  // namespace flow::reference
