// gather_columns: out[n, k] = x[n, indices[k]]. indices are int32.
#include "ops/elementwise.h"
#include "ops/indices.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
inline void take(T* __restrict target, const T* __restrict source, const int32_t* __restrict index, int64_t n) {
  for (int64_t k = 0; k < n; ++k) target[k] = source[index[k]];
}

bool gather_columns(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.rows == x.rows && out.cols == indices.count(), "output: expected %lld × %lld, got %lld × %lld",
             ll(x.rows), ll(indices.count()), ll(out.rows), ll(out.cols));
  FLOW_CHECK_SAME_DTYPE(call, x, out, "x");
  if (!check_indices(call, indices, x.cols, "column")) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    const int32_t* index = indices.as<int32_t>();
    parallel_rows(out.rows, out.cols * 3 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n) {
        take(out.as<T>() + n * out.ld, static_cast<const T*>(x.as<T>() + n * x.ld), index, out.cols);
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(gather_columns) = {"gather_columns", gather_columns, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
