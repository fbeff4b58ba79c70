// batch_inverse: log|det| and transposed inverse of many small matrices, by elimination with partial pivoting in float64
// (Golub and Van Loan, algorithm 3.4.1). in: a [B·C, C]; out: inverse_transposed [B·C, C] of its type (perhaps absent), log_det [B]
// float64. A singular matrix has log_det −inf and an inverse of infinities and NaN; a NaN in a makes log_det NaN.
//
// Floor: a and its inverse once, 2C³ operations a matrix. A block a matrix, which stays in shared memory: for flows' channels, up to some 50
// of them; beyond, in the workspace.
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/linear.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

constexpr unsigned elimination_threads = 128;
constexpr int64_t shared_bytes = 40 << 10;
constexpr unsigned most_blocks = 1024;
constexpr size_t votes_bytes = fold_bytes<int>(elimination_threads);
constexpr int64_t most_columns = 6112;  // their factors are in the shared memory that every kernel has

template <class T>
__global__ void __launch_bounds__(elimination_threads, 1)
    eliminate(Matrix<const T> a, Matrix<T> inverse, Vector<double> log_det, int64_t count, int n, double* memory) {
  FLOW_SHARED(shared);
  const bool whole = inverse.p != nullptr;
  const int width = whole ? 2 * n : n, thread = static_cast<int>(threadIdx.x), threads = elimination_threads;
  int* const votes = reinterpret_cast<int*>(shared);
  // The factors of a step beside the matrix: a column is overwritten while it is used.
  double* const factors = reinterpret_cast<double*>(shared + votes_bytes);
  double* const m = memory ? memory + static_cast<int64_t>(blockIdx.x) * n * width : factors + n;
  for (int64_t b = blockIdx.x; b < count; b += gridDim.x) {
    int is_nan = 0;
    for (int e = thread; e < n * width; e += threads) {
      const int r = e / width, c = e % width;
      m[e] = c < n ? static_cast<double>(*a.at(b * n + r, c)) : c - n == r ? 1.0 : 0.0;
      if (m[e] != m[e]) is_nan = 1;
    }
    is_nan = block_fold(is_nan, Most{}, votes);
    // What is divided by the pivot of a singular matrix may be NaN, and the pivots behind it with it.
    bool singular = false;
    double sum = 0;
    for (int k = 0; k < n; ++k) {
      // Every thread finds the same pivot.
      int best = k;
      for (int r = k + 1; r < n; ++r)
        if (abs(m[r * width + k]) > abs(m[best * width + k])) best = r;
      __syncthreads();
      if (best != k) {
        for (int c = thread; c < width; c += threads) {
          const double value = m[k * width + c];
          m[k * width + c] = m[best * width + c];
          m[best * width + c] = value;
        }
      }
      __syncthreads();
      const double pivot = m[k * width + k];
      sum += log(abs(pivot));
      singular = singular || pivot == 0;
      for (int r = thread; r < n; r += threads) factors[r] = r == k || (!whole && (r < k || pivot == 0)) ? 0.0 : m[r * width + k] / pivot;
      __syncthreads();
      const int span = width - k;
      for (int e = thread; e < n * span; e += threads) {
        const int r = e / span, c = k + e % span;
        if (r != k && factors[r] != 0) m[r * width + c] -= factors[r] * m[k * width + c];
      }
      __syncthreads();
    }
    if (thread == 0) *log_det.at(b) = is_nan ? static_cast<double>(NAN) : singular ? -static_cast<double>(INFINITY) : sum;
    for (int e = thread; e < n * n && whole; e += threads) {
      const int r = e / n, c = e % n;
      *inverse.at(b * n + c, r) = static_cast<T>(m[r * width + n + c] / m[r * width + r]);
    }
    __syncthreads();
  }
}

bool batch_inverse(const Call& call) {
  const Operand &a = call.in[0], &inverse = call.out[0], &log_det = call.out[1];
  const int64_t n = a.cols;
  FLOW_CHECK(call, n > 0 && n <= 1 << 14 && a.rows % n == 0, "a: expected square matrices below each other, got %lld × %lld", ll(a.rows), ll(n));
  FLOW_CHECK(call, n <= most_columns, "a: expected matrices of up to %lld columns on a GPU, got %lld", ll(most_columns), ll(n));
  const int64_t count = a.rows / n;
  FLOW_CHECK(call, log_det.dtype == DType::f64 && log_det.count() == count && (log_det.rows <= 1 || log_det.cols <= 1),
             "log_det: expected float64 [%lld], got %s %lld × %lld", ll(count), name_of(log_det.dtype), ll(log_det.rows), ll(log_det.cols));
  if (!inverse.absent() && !check_shape(call, inverse, "inverse_transposed", a.rows, n, a.dtype)) return false;
  if (count == 0) return true;
  return with_float(call, a, "a", [&](auto zero) {
    using T = decltype(zero);
    const int64_t matrix_bytes = n * (inverse.absent() ? n : 2 * n) * int64_t{sizeof(double)}, factor_bytes = static_cast<int64_t>(votes_bytes) + n * int64_t{sizeof(double)};
    const unsigned blocks = static_cast<unsigned>(min_of(count, most_blocks));
    const bool shared = matrix_bytes + factor_bytes <= shared_bytes;
    double* memory = nullptr;
    if (!shared) {
      memory = static_cast<double*>(workspace(static_cast<size_t>(matrix_bytes) * blocks));
      if (!memory) return call.fail("memory: the device has none left");
    }
    FLOW_LAUNCH((eliminate<T>), blocks, elimination_threads, static_cast<size_t>(shared ? matrix_bytes + factor_bytes : factor_bytes),
                matrix<const T>(a), matrix<T>(inverse), vector<double>(log_det), count, static_cast<int>(n), memory);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(batch_inverse) = {"batch_inverse", batch_inverse, 1, 1, 2, 0};

}  // namespace flow::cuda
