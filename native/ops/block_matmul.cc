// block_matmul: y of X·diag(B_1, …, B_F), a product by blocks of columns. in: x [N, F·K], blocks [F·K, M] below each other, or
// [F·M, K] with `transpose` (B_fᵀ is stored); out: y [N, F·M]; attributes: F, transpose.
#include "ops/lanes.h"
#include "ops/linear.h"
#include "ops/log_det.h"

namespace flow::FLOW_ISA {
namespace {

// y [m] = Σ_k x[k]·b[k·ld …].
template <class T>
void by_rows(const T* x, const T* b, int64_t ld, int64_t depth, int64_t cols, T* y) {
  for_lanes<Vec<T>>(cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
    Vec<T> sum(T(0));
    for (int64_t k = 0; k < depth; ++k) sum = fma(Vec<T>(x[k]), load_live(b + k * ld + c, live), sum);
    store_live(y + c, sum, live);
  });
}

// y [m] = Σ_k x[k]·b[m·ld + k].
template <class T>
void by_columns(const T* x, const T* b, int64_t ld, int64_t depth, int64_t cols, T* y) {
  for (int64_t m = 0; m < cols; ++m) {
    Vec<T> sum(T(0));
    for_lanes<Vec<T>>(depth, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
      sum = fma(load_live(x + k, live), load_live(b + m * ld + k, live), sum);
    });
    y[m] = horizontal_sum(sum);
  }
}

bool block_matmul(const Call& call) {
  const Operand &x = call.in[0], &blocks = call.in[1], &y = call.out[0];
  FLOW_CHECK(call, call.attr[0] >= 1 && call.attr[0] <= 1 << 30, "blocks: expected 1 or more, got %g", call.attr[0]);
  const int64_t count = call.int_attr(0);
  const bool transpose = call.attr[1] != 0;
  FLOW_CHECK(call, x.cols % count == 0 && blocks.rows % count == 0, "blocks: expected %lld of equal size, got %lld columns and %lld rows",
             static_cast<long long>(count), static_cast<long long>(x.cols), static_cast<long long>(blocks.rows));
  const int64_t depth = x.cols / count, side = blocks.rows / count;
  const int64_t cols = transpose ? side : blocks.cols;
  FLOW_CHECK(call, depth == (transpose ? blocks.cols : side), "blocks: expected a depth of %lld, got %lld",
             static_cast<long long>(depth), static_cast<long long>(transpose ? blocks.cols : side));
  FLOW_CHECK(call, blocks.dtype == x.dtype, "blocks: expected %s, got %s", name_of(x.dtype), name_of(blocks.dtype));
  if (!check_shape(call, y, "y", x.rows, count * cols, x.dtype)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    // A task is one block of all rows where there are enough of them: it stays in the cache.
    parallel_rows(count, x.rows * depth * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t f = first; f < last; ++f) {
        const T* b = blocks.as<T>() + f * side * blocks.ld;
        for (int64_t r = 0; r < x.rows; ++r) {
          const T* from = x.as<T>() + r * x.ld + f * depth;
          T* to = y.as<T>() + r * y.ld + f * cols;
          if (transpose)
            by_columns(from, b, blocks.ld, depth, cols, to);
          else
            by_rows(from, b, blocks.ld, depth, cols, to);
        }
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(block_matmul) = {"block_matmul", block_matmul, 2, 2, 1, 2};

}  // namespace flow::FLOW_ISA
