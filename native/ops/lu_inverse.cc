// lu_inverse: the inverses of matrices by their triangles (ops/lu.h), all of a model in one call: by substitution in float64, rounded.
// in: for each matrix factors [C, C], log_scale [C], sign [C] (both or neither), rows [C] int32 or absent; out: for each inverse [C, C]
// and log_det (float64, one number: log|det W|, not that of the inverse) or absent; attributes: the form of each. C ≤ 64: beyond,
// substitution is the faster way (lu_solve). One dtype, any sizes.
#include "ops/lu_triangles.h"

namespace flow::FLOW_ISA {
namespace {

bool lu_inverse(const Call& call) {
  if (!check_lu_inverse(call)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    using T = decltype(zero);
    for (int k = 0; k < call.n_attr; ++k) {
      LuFactors lu;
      int32_t* place = nullptr;
      const Operand& out = call.out[2 * k];
      if (!read_lu(call, 4 * k, call.attr[k], lu) || !invert_rows(call, lu, place)) return false;
      const double* inverse = invert_lu<T>(call, lu, place, true);
      if (!inverse) return false;
      const int64_t n = lu.n;
      for (int64_t i = 0; i < n; ++i) {
        const double* from = inverse + i * n;
        T* to = out.as<T>() + i * out.ld;
        for (int64_t j = 0; j < n; ++j) to[j] = static_cast<T>(from[j]);
      }
      write_lu_log_det(lu, call.out[2 * k + 1]);
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_inverse) = {"lu_inverse", lu_inverse, 4, 4096, -1, -1};

}  // namespace flow::FLOW_ISA
