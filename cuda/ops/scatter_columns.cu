// scatter_columns: out[n, c] = Σ over k with indices[k] = c of d[n, k], in the order of k: the gradient of gather_columns. An index
// outside of out adds to no column.
//
// Floor: d and out, once. A first launch links the positions of each column; then a thread keeps its column of out, and knows the first of
// its positions: of a permutation that is the only one.
#include "cuda/core/columns.h"
#include "cuda/core/indices.h"

namespace flow::cuda {
namespace {

template <class T>
struct SumColumns {
  struct Positions {
    int32_t first, second;
  };
  Matrix<const T> d;
  Chains chains;
  Matrix<T> out;

  __device__ __forceinline__ Positions column(int64_t c) const {
    const int32_t first = chains.first[c];
    return {first, first < 0 ? -1 : chains.next[first]};
  }
  __device__ __forceinline__ void operator()(const Positions& own, int64_t row, int64_t c) const {
    T sum = 0;
    if (own.first >= 0) sum += *d.at(row, own.first);
    for (int32_t k = own.second; k >= 0; k = chains.next[k]) sum += *d.at(row, k);
    *out.at(row, c) = sum;
  }
};

bool scatter_columns(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.rows == d.rows && d.cols == indices.count(), "d: expected %lld × %lld, got %lld × %lld",
             ll(out.rows), ll(indices.count()), ll(d.rows), ll(d.cols));
  FLOW_CHECK_SAME_DTYPE(call, d, out, "d");
  if (!check_indices(call, indices)) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    Chains chains{};
    if (out.count() == 0) return true;
    if (!make_chains(call, indices, out.cols, chains)) return false;
    return walk_columns(call, out.rows, out.cols, SumColumns<T>{matrix<const T>(d), chains, matrix<T>(out)});
  });
}

}  // namespace

FLOW_DEFINE_OP(scatter_columns) = {"scatter_columns", scatter_columns, 2, 2, 1, 0};

}  // namespace flow::cuda
