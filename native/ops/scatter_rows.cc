// scatter_rows: out[r, :] = Σ over m with indices[m] = r of d[m, :], in the order of m: the gradient of gather_rows.
#include "ops/elementwise.h"
#include "ops/indices.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
inline void clear_span(T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = 0;
}
template <class T>
inline void add_span(T* __restrict y, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

bool scatter_rows(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.cols == d.cols && d.rows == indices.count(), "d: expected %lld × %lld, got %lld × %lld",
             ll(indices.count()), ll(out.cols), ll(d.rows), ll(d.cols));
  FLOW_CHECK_SAME_DTYPE(call, d, out, "d");
  if (!check_indices(call, indices, out.rows, "row")) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    const int32_t* index = indices.as<int32_t>();
    // Tasks are ranges of columns: each sums a row's contributions in the order of m.
    int64_t bytes = (out.rows + 2 * d.rows) * int64_t{sizeof(T)};
    int64_t width = max_of(64, task_bytes / max_of(1, bytes));
    parallel(ceil_div(out.cols, width), [&](int64_t task) {
      int64_t first = task * width, n = min_of(width, out.cols - first);
      for (int64_t r = 0; r < out.rows; ++r) clear_span(out.as<T>() + r * out.ld + first, n);
      for (int64_t m = 0; m < d.rows; ++m)
        add_span(out.as<T>() + index[m] * out.ld + first, d.as<T>() + m * d.ld + first, n);
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(scatter_rows) = {"scatter_rows", scatter_rows, 2, 2, 1, 0};

}  // namespace flow::FLOW_ISA
