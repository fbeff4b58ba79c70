// lu_inverse: W⁻¹ of each matrix of a list, column by column of the identity, by substitution. Attributes: forms.
#include "reference/lu.h"

namespace flow::reference {
namespace {

bool one(const Call& call, int k) {
  LuMatrix m;
  if (!m.read(call, 4 * k, call.attr[k])) return false;
  const DType type = call.in[4 * k].dtype;
  FLOW_AGREE(call, is(call.out[2 * k], m.n, m.n, type) && m.write_log_det(call.out[2 * k + 1]));
  return for_float(call, type, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> out(call.out[2 * k]);
    std::vector<double> x(static_cast<size_t>(m.n));
    const auto at = [&](int64_t i) -> double& { return x[static_cast<size_t>(i)]; };
    for (int64_t c = 0; c < m.n; ++c) {
      for (int64_t i = 0; i < m.n; ++i) {
        at(i) = m.rows[static_cast<size_t>(i)] == c ? 1 : 0;
        for (int64_t j = 0; j < i; ++j) at(i) -= m.at2(m.lower, i, j) * at(j);
        at(i) /= m.at2(m.lower, i, i);
      }
      for (int64_t i = m.n - 1; i >= 0; --i) {
        for (int64_t j = i + 1; j < m.n; ++j) at(i) -= m.at2(m.upper, i, j) * at(j);
        at(i) /= m.at2(m.upper, i, i);
        out(i, c) = static_cast<T>(at(i));
      }
    }
  });
}

}  // namespace

bool lu_inverse(const Call& call) {
  FLOW_AGREE(call, is_lu_list(call, 4, 2));
  for (int k = 0; k < call.n_attr; ++k)
    if (!one(call, k)) return false;
  return true;
}

}  // namespace flow::reference
