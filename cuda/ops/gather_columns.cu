// gather_columns: out[n, k] = x[n, indices[k]]. indices are int32; the column of an index outside of x is NaN.
//
// Floor: the columns that are taken and out, once. A thread keeps its column, so an index is read once a thread; neighbours write side by
// side, and read from the same row.
#include "cuda/core/columns.h"
#include "cuda/core/indices.h"

namespace flow::cuda {
namespace {

template <class T>
struct Take {
  Matrix<const T> x;
  int64_t cols;
  const int32_t* indices;
  Matrix<T> out;

  __device__ __forceinline__ int64_t column(int64_t k) const {
    const int64_t c = indices[k];
    return is_index(c, cols) ? c : -1;
  }
  __device__ __forceinline__ void operator()(int64_t from, int64_t row, int64_t k) const {
    *out.at(row, k) = from < 0 ? static_cast<T>(NAN) : *x.at(row, from);
  }
};

bool gather_columns(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.rows == x.rows && out.cols == indices.count(), "output: expected %lld × %lld, got %lld × %lld",
             ll(x.rows), ll(indices.count()), ll(out.rows), ll(out.cols));
  FLOW_CHECK_SAME_DTYPE(call, x, out, "x");
  if (!check_indices(call, indices)) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    return walk_columns(call, out.rows, out.cols,
                        Take<T>{matrix<const T>(x), x.cols, indices.as<const int32_t>(), matrix<T>(out)});
  });
}

}  // namespace

FLOW_DEFINE_OP(gather_columns) = {"gather_columns", gather_columns, 2, 2, 1, 0};

}  // namespace flow::cuda
