// block_matmul: y of X·diag(B_1, …, B_F), a product by blocks of columns. in: x [N, F·K], blocks [F·K, M] below each other, or
// [F·M, K] with `transpose` (B_fᵀ is stored); out: y [N, F·M]; attributes: F, transpose.
//
// Floor: x, y and the blocks once, K operations an element of y. A thread makes an element; neighbours share x by broadcast and read B side by
// side (transposed: B through the cache).
#include "cuda/core/check.h"
#include "cuda/core/launch.h"
#include "cuda/core/linear.h"

namespace flow::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(block_threads) multiply(Matrix<const T> x, Matrix<const T> b, Matrix<T> y, int64_t rows, int64_t count,
                                                          int64_t depth, int64_t cols, bool transpose) {
  const int64_t all = rows * count * cols;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; i < all;
       i += static_cast<int64_t>(gridDim.x) * block_threads) {
    const int64_t m = i % cols, f = i / cols % count, r = i / cols / count;
    const T* from = x.at(r, f * depth);
    T sum = T(0);
    for (int64_t k = 0; k < depth; ++k) {
      const T entry = transpose ? *b.at(f * cols + m, k) : *b.at(f * depth + k, m);
      sum += from[k] * entry;
    }
    *y.at(r, f * cols + m) = sum;
  }
}

bool block_matmul(const Call& call) {
  const Operand &x = call.in[0], &blocks = call.in[1], &y = call.out[0];
  FLOW_CHECK(call, call.attr[0] >= 1 && call.attr[0] <= 1 << 30, "blocks: expected 1 or more, got %g", call.attr[0]);
  const int64_t count = call.int_attr(0);
  const bool transpose = call.attr[1] != 0;
  FLOW_CHECK(call, x.cols % count == 0 && blocks.rows % count == 0, "blocks: expected %lld of equal size, got %lld columns and %lld rows",
             ll(count), ll(x.cols), ll(blocks.rows));
  const int64_t depth = x.cols / count, side = blocks.rows / count, cols = transpose ? side : blocks.cols;
  FLOW_CHECK(call, depth == (transpose ? blocks.cols : side), "blocks: expected a depth of %lld, got %lld", ll(depth),
             ll(transpose ? blocks.cols : side));
  FLOW_CHECK(call, blocks.dtype == x.dtype, "blocks: expected %s, got %s", name_of(x.dtype), name_of(blocks.dtype));
  if (!check_shape(call, y, "y", x.rows, count * cols, x.dtype)) return false;
  if (y.count() == 0) return true;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    FLOW_LAUNCH((multiply<T>), blocks_for(y.count()), block_threads, 0, matrix<const T>(x), matrix<const T>(blocks), matrix<T>(y), x.rows,
                count, depth, cols, transpose);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(block_matmul) = {"block_matmul", block_matmul, 2, 2, 1, 2};

}  // namespace flow::cuda
