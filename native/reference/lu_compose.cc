// lu_compose: W = P·L·(U + diag(s)). Attributes: form.
#include "reference/lu.h"

namespace flow::reference {

bool lu_compose(const Call& call) {
  LuMatrix m;
  if (!m.read(call, 0)) return false;
  FLOW_AGREE(call, is(call.out[0], m.n, m.n, call.in[0].dtype));
  return for_float(call, call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> out(call.out[0]);
    for (int64_t i = 0; i < m.n; ++i)
      for (int64_t j = 0; j < m.n; ++j) out(i, j) = static_cast<T>(m.at2(m.w, i, j));
  });
}

}  // namespace flow::reference
