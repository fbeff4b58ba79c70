// scatter_columns: out[n, c] = Σ over k with indices[k] = c of d[n, k], in the order of k: the gradient of
// gather_columns.
#include "ops/elementwise.h"
#include "ops/indices.h"

namespace flow::FLOW_ISA {
namespace {

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
        const T* source = d.as<T>() + n * d.ld;
        T* target = out.as<T>() + n * out.ld;
        for (int64_t c = 0; c < out.cols; ++c) target[c] = 0;
        for (int64_t k = 0; k < d.cols; ++k) target[index[k]] += source[k];
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(scatter_columns) = {"scatter_columns", scatter_columns, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
