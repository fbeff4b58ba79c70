// lu_factor: P·L·U = W by elimination with partial pivoting, in float64 (Golub and Van Loan, algorithm 3.4.1, in blocks).
// in: w [C, C]; out: factors [C, C] float64 (U on and above the diagonal, L below it), rows [C] int32 (row i of L·U is row
// rows[i] of W), log_det = log|det W| and sign of det W, float64 [1] both. A singular matrix has a zero on the diagonal, log_det
// −inf and sign 0.
//
// Floor: 2/3·C³ operations in float64; but C pivots one after the other, each of which a block agrees on: that is the time. A panel of
// 32 columns is eliminated by one block, the rows of U beside it by a thread a column, the rest by cuBLAS.
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/lu.h"

namespace flow::cuda {
namespace {

constexpr int64_t panel_columns = 32;

template <class T>
__global__ void __launch_bounds__(block_threads) start(const T* w, int64_t w_ld, int64_t n, double* a, int64_t ld, int32_t* rows, double* sign) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < n * n; e += stride) {
    const int64_t r = e / n, c = e % n;
    a[r * ld + c] = static_cast<double>(w[r * w_ld + c]);
    if (c == 0) rows[r] = static_cast<int32_t>(r);
    if (e == 0) *sign = 1;
  }
}

/** A candidate for the pivot: the largest value, of equals the first row. A NaN never wins. */
struct Pivot {
  double value;
  int row;
};
__device__ __forceinline__ Pivot better(Pivot a, Pivot b) {
  return b.value > a.value || (b.value == a.value && b.row < a.row) ? b : a;
}

/** The columns k0 … k1 of the rows from k0 on; one block. The last panel also makes log_det and sign. */
__global__ void __launch_bounds__(block_threads)
    factor_panel(double* a, int64_t ld, int64_t n, int64_t k0, int64_t k1, int32_t* rows, double* log_det, double* sign) {
  FLOW_SHARED(memory);
  Pivot* const found = reinterpret_cast<Pivot*>(memory);
  const int thread = static_cast<int>(threadIdx.x);
  double odd = 1;
  for (int64_t k = k0; k < k1; ++k) {
    Pivot best{-1, static_cast<int>(k)};
    for (int64_t i = k + thread; i < n; i += block_threads) best = better(best, {abs(a[i * ld + k]), static_cast<int>(i)});
#pragma unroll
    for (int d = warp_threads / 2; d > 0; d /= 2)
      best = better(best, {__shfl_xor_sync(full_warp, best.value, d), __shfl_xor_sync(full_warp, best.row, d)});
    if (thread % warp_threads == 0) found[thread / warp_threads] = best;
    __syncthreads();
    for (int w = 0; w < block_threads / warp_threads; ++w) best = better(best, found[w]);
    // Every column that was seen is NaN: it stays where it is.
    const int64_t from = best.value < 0 ? k : best.row;
    if (from != k) {
      odd = -odd;
      for (int64_t c = thread; c < n; c += block_threads) {
        const double value = a[k * ld + c];
        a[k * ld + c] = a[from * ld + c];
        a[from * ld + c] = value;
      }
      if (thread == 0) {
        const int32_t row = rows[k];
        rows[k] = rows[from];
        rows[from] = row;
      }
    }
    __syncthreads();
    const double pivot = a[k * ld + k];
    if (pivot == 0) continue;  // for all threads
    const int64_t width = k1 - k - 1;
    // A warp a row: its factor first, then the rest of the panel.
    for (int64_t i = k + 1 + thread / warp_threads; i < n; i += block_threads / warp_threads) {
      const int lane = thread % warp_threads;
      const double factor = a[i * ld + k] / pivot;
      __syncwarp();
      if (lane == 0) a[i * ld + k] = factor;
      if (lane < width) a[i * ld + k + 1 + lane] -= factor * a[k * ld + k + 1 + lane];
    }
    __syncthreads();
  }
  if (thread == 0) *sign *= odd;
  if (k1 < n) return;
  __syncthreads();
  double* const logs = reinterpret_cast<double*>(memory);
  double sum = 0, product = 1;
  for (int64_t i = thread; i < n; i += block_threads) {
    const double pivot = a[i * (ld + 1)];
    sum += log(abs(pivot));
    product *= pivot > 0 ? 1 : pivot < 0 ? -1 : pivot;  // 0 and NaN stay
  }
  sum = block_fold(sum, Sum{}, logs);
  product = block_fold(product, [](double x, double y) { return x * y; }, logs);
  if (thread != 0) return;
  *log_det = sum;
  *sign = *sign * product + 0.0;
}

/** Rows k0 … k1 of U beside their panel: a thread a column. */
__global__ void __launch_bounds__(block_threads) solve_beside(double* a, int64_t ld, int64_t n, int64_t k0, int64_t k1) {
  const int64_t c = k1 + static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  if (c >= n) return;
  for (int64_t i = k0 + 1; i < k1; ++i) {
    double sum = a[i * ld + c];
    for (int64_t k = k0; k < i; ++k) sum -= a[i * ld + k] * a[k * ld + c];
    a[i * ld + c] = sum;
  }
}

bool lu_factor(const Call& call) {
  const Operand &w = call.in[0], &factors = call.out[0], &rows = call.out[1];
  const int64_t n = w.cols;
  FLOW_CHECK(call, n > 0 && w.rows == n, "w: expected a square matrix, got %lld × %lld", ll(w.rows), ll(n));
  if (!check_shape(call, factors, "factors", n, n, DType::f64) || !check_vector(call, rows, "rows", n, DType::i32) ||
      !check_vector(call, call.out[2], "log_det", 1, DType::f64) || !check_vector(call, call.out[3], "sign", 1, DType::f64))
    return false;
  return with_float(call, w, "w", [&](auto zero) {
    using T = decltype(zero);
    double* a = factors.as<double>();
    const int64_t ld = factors.ld;
    double *log_det = call.out[2].as<double>(), *sign = call.out[3].as<double>();
    FLOW_LAUNCH((start<T>), blocks_for(n * n), block_threads, 0, w.as<const T>(), w.ld, n, a, ld, rows.as<int32_t>(), sign);
    for (int64_t k0 = 0; k0 < n; k0 += panel_columns) {
      const int64_t k1 = min_of(n, k0 + panel_columns), below = n - k1;
      FLOW_LAUNCH(factor_panel, 1, block_threads, block_threads / warp_threads * sizeof(Pivot), a, ld, n, k0, k1, rows.as<int32_t>(),
                  log_det, sign);
      if (below == 0) break;
      FLOW_LAUNCH(solve_beside, static_cast<unsigned>(ceil_div(below, block_threads)), block_threads, 0, a, ld, n, k0, k1);
      if (!blas_gemm<double>(call, false, false, below, below, k1 - k0, a + k1 * ld + k0, ld, a + k0 * ld + k1, ld, a + k1 * ld + k1, ld,
                             -1.0, 1.0))
        return false;
    }
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_factor) = {"lu_factor", lu_factor, 1, 1, 4, 0};

}  // namespace flow::cuda
