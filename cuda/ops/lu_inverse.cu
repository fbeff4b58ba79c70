// lu_inverse: the inverses of matrices by their triangles (core/lu.h), all of a model in one call: by substitution in float64, rounded.
// in: for each matrix factors [C, C], log_scale [C], sign [C] (both or neither), rows [C] int32 or absent; out: for each inverse [C, C]
// and log_det (float64, one number: log|det W|, not that of the inverse) or absent; attributes: the form of each. C ≤ 64: beyond,
// substitution is the faster way (lu_solve). A zero on the diagonal is not told: the inverse is then infinite or NaN.
//
// Floor: factors and inverses once, 2·C³ operations, of which each unknown waits for those before it. One launch (for some fifty: 4 KB of
// arguments), a block a matrix, a thread a row of the inverse, its unknowns in shared memory.
#include "cuda/core/lu_list.h"

namespace flow::cuda {
namespace {

template <class T>
struct Inverted {
  LuFactors<T> lu;
  T* inverse;
  int64_t ld;
  double* log_det;
};

template <class T>
__global__ void __launch_bounds__(inverse_channels) invert_list(const LuTable<Inverted<T>> table) {
  FLOW_SHARED(memory);
  const LuFactors<T> lu = table.entry[blockIdx.x].lu;
  const int64_t i = threadIdx.x, n = lu.n;
  double* const own = reinterpret_cast<double*>(memory) + i;
  if (i < n) {
    T* const to = table.entry[blockIdx.x].inverse + i * table.entry[blockIdx.x].ld;
    solve_unit(lu, true, i, own);
    for (int64_t j = 0; j < n; ++j) to[lu.row(j)] = static_cast<T>(own[j * n]);
  }
  write_lu_log_det(lu, table.entry[blockIdx.x].log_det);
}

bool lu_inverse(const Call& call) {
  if (!check_lu_inverse(call)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    using T = decltype(zero);
    return for_matrices<T, Inverted<T>>(
        call, 4, inverse_channels,
        [&](int k, const LuFactors<T>& lu) {
          const Operand* out = call.out + 2 * k;
          return Inverted<T>{lu, out[0].as<T>(), out[0].ld, out[1].as<double>()};
        },
        [&](const LuTable<Inverted<T>>& table, unsigned count, int64_t side) {
          const size_t bytes = static_cast<size_t>(side * side) * sizeof(double);
          FLOW_LAUNCH((invert_list<T>), count, static_cast<unsigned>(inverse_channels), bytes, table);
          return launched(call);
        },
        [](const Inverted<T>&) { return true; });
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_inverse) = {"lu_inverse", lu_inverse, 4, 4096, -1, -1};

}  // namespace flow::cuda
