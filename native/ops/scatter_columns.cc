// scatter_columns: out[n, c] = Σ over k with indices[k] = c of d[n, k], in the order of k: the gradient of
// gather_columns.
#include "ops/elementwise.h"
#include "ops/indices.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
inline void add_at(T* __restrict target, const T* __restrict source, const int32_t* __restrict index, int64_t n) {
  for (int64_t k = 0; k < n; ++k) target[index[k]] += source[k];
}

bool scatter_columns(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.rows == d.rows && d.cols == indices.count(), "d: expected %lld × %lld, got %lld × %lld",
             ll(out.rows), ll(indices.count()), ll(d.rows), ll(d.cols));
  FLOW_CHECK_SAME_DTYPE(call, d, out, "d");
  if (!check_indices(call, indices, out.cols, "column")) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    const int32_t* index = indices.as<int32_t>();
    parallel_rows(out.rows, (out.cols + 2 * d.cols) * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n) {
        T* target = out.as<T>() + n * out.ld;
        for (int64_t c = 0, cols = out.cols; c < cols; ++c) target[c] = 0;
        add_at(target, static_cast<const T*>(d.as<T>() + n * d.ld), index, d.cols);
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(scatter_columns) = {"scatter_columns", scatter_columns, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
