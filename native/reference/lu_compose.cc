// lu_compose: W = P·L·(U + diag(s)) of each matrix of a list. Attributes: forms.
#include "reference/lu.h"

namespace flow::reference {

bool lu_compose(const Call& call) {
  FLOW_AGREE(call, is_lu_list(call, 4, 2));
  for (int k = 0; k < call.n_attr; ++k) {
    LuMatrix m;
    if (!m.read(call, 4 * k, call.attr[k])) return false;
    const DType type = call.in[4 * k].dtype;
    FLOW_AGREE(call, is(call.out[2 * k], m.n, m.n, type) && m.write_log_det(call.out[2 * k + 1]));
    const bool done = for_float(call, type, [&](auto zero) {
      using T = decltype(zero);
      const Matrix<T> out(call.out[2 * k]);
      for (int64_t i = 0; i < m.n; ++i)
        for (int64_t j = 0; j < m.n; ++j) out(i, j) = static_cast<T>(m.at2(m.w, i, j));
    });
    if (!done) return false;
  }
  return true;
}

}  // namespace flow::reference
