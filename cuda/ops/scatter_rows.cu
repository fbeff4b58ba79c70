// scatter_rows: out[r, :] = Σ over m with indices[m] = r of d[m, :], in the order of m: the gradient of gather_rows. An index outside of
// out adds to no row.
//
// Floor: d and out, once. A first launch links the positions of each row; then a thread sums up to 16 bytes of a row.
#include "cuda/core/divide.h"
#include "cuda/core/indices.h"

namespace flow::cuda {
namespace {

template <int W, class T>
__global__ void __launch_bounds__(block_threads) sum_rows(Matrix<const T> d, Chains chains, Matrix<T> out, int64_t count, Divisor units) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    int64_t unit = i;
    const int64_t row = units.split(unit);
    T sum[W] = {};
    for (int32_t m = chains.first[row]; m >= 0; m = chains.next[m]) {
      T more[W];
      load<W>(more, d.at(m, unit * W));
#pragma unroll
      for (int k = 0; k < W; ++k) sum[k] += more[k];
    }
    store<W>(out.at(row, unit * W), sum);
  }
}

bool scatter_rows(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.cols == d.cols && d.rows == indices.count(), "d: expected %lld × %lld, got %lld × %lld",
             ll(indices.count()), ll(out.cols), ll(d.rows), ll(d.cols));
  FLOW_CHECK_SAME_DTYPE(call, d, out, "d");
  if (!check_indices(call, indices)) return false;
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    return Width<T>().of(d).of(out).columns(out.cols).choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      const int64_t units = out.cols / W, count = units * out.rows;
      Chains chains{};
      if (count == 0) return true;
      if (!make_chains(call, indices, out.rows, chains)) return false;
      FLOW_LAUNCH((sum_rows<W, T>), blocks_for(count), block_threads, 0, matrix<const T>(d), chains, matrix<T>(out), count, Divisor(units));
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(scatter_rows) = {"scatter_rows", scatter_rows, 2, 2, 1, 0};

}  // namespace flow::cuda
