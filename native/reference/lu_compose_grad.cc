// lu_compose_grad: the gradients of the triangles, given dL_dW. Attributes: form.
#include "reference/lu.h"

namespace flow::reference {

bool lu_compose_grad(const Call& call) {
  LuMatrix m;
  if (!m.read(call, 0)) return false;
  const Operand &dw = call.in[4], &d_factors = call.out[0], &d_scale = call.out[1];
  const DType type = call.in[0].dtype;
  FLOW_AGREE(call, is(dw, m.n, m.n, type) && is(d_factors, m.n, m.n, type) && is_vector(d_scale, m.n, type));
  const bool product = call.attr[0] == 0, has_lower = call.attr[0] != 2, has_upper = call.attr[0] != 1;
  return for_float(call, type, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> g(dw), out(d_factors);
    const Vector<T> scale(d_scale);
    const auto by = [&](int64_t i, int64_t j) { return static_cast<double>(g(m.rows[static_cast<size_t>(i)], j)); };
    for (int64_t i = 0; i < m.n; ++i) {
      for (int64_t j = 0; j < m.n; ++j) {
        double by_lower = 0, by_upper = 0;
        for (int64_t k = 0; k < m.n; ++k) {
          by_lower += by(i, k) * m.at2(m.upper, j, k);
          by_upper += m.at2(m.lower, k, i) * by(k, j);
        }
        if (!product) by_lower = by_upper = by(i, j);
        out(i, j) = static_cast<T>(i > j && has_lower ? by_lower : i < j && has_upper ? by_upper : 0);
        if (i == j) scale(i) = static_cast<T>(by_upper * m.scale[static_cast<size_t>(i)]);
      }
    }
  });
}

}  // namespace flow::reference
