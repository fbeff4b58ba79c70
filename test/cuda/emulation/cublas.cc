// The calls of cuBLAS that cuda/core/blas.cc makes: plain loops over columns-first matrices, sums in float64, queued in the stream and
// counted as one launch each. Operands are checked to lie on the device, and sizes as cuBLAS checks them.
#include <vector>

#include "emulation.h"

using namespace emulation;

struct cublasContext {
  cudaStream_t stream;
  bool own_workspace;  // of the caller; without one cuBLAS allocates
};

namespace {

enum Status { success = 0, not_initialized = 1, invalid_value = 7, execution_failed = 13 };

/** Whether a call may not be: one that allocates, while its stream is captured. */
bool is_refused(const cublasContext* handle, const char* name) {
  return !handle->own_workspace && is_capturing(handle->stream) && ends_capture(name);
}

/** Bytes of a columns-first matrix. */
template <class T>
size_t bytes_of(int64_t rows, int64_t columns, int64_t ld) {
  return rows == 0 || columns == 0 ? 0 : static_cast<size_t>((columns - 1) * ld + rows) * sizeof(T);
}

template <class T>
int gemm(cublasContext* handle, const char* name, int ta, int tb, int64_t m, int64_t n, int64_t k, const T* alpha, const T* a,
         int64_t lda, int64_t a_step, const T* b, int64_t ldb, int64_t b_step, const T* beta, T* c, int64_t ldc, int64_t c_step,
         int64_t count) {
  if (!handle) return not_initialized;
  const int64_t a_rows = ta ? k : m, a_columns = ta ? m : k, b_rows = tb ? n : k, b_columns = tb ? k : n;
  if (m < 0 || n < 0 || k < 0 || count < 0 || lda < std::max<int64_t>(1, a_rows) || ldb < std::max<int64_t>(1, b_rows) ||
      ldc < std::max<int64_t>(1, m))
    return invalid_value;
  if (m == 0 || n == 0 || count == 0) return success;
  if (is_refused(handle, name)) return execution_failed;
  const double scale = *alpha, keep = *beta;
  const bool done = enqueue(name, handle->stream, [=] {
    for (int64_t i = 0; i < count; ++i) {
      const T *ai = a + i * a_step, *bi = b + i * b_step;
      T* ci = c + i * c_step;
      if (!on_device(ai, bytes_of<T>(a_rows, a_columns, lda)) || !on_device(bi, bytes_of<T>(b_rows, b_columns, ldb)) ||
          !on_device(ci, bytes_of<T>(m, n, ldc))) {
        report(cudaErrorIllegalAddress, std::string(name) + ": an operand is not in one allocation of the device");
        return;
      }
      for (int64_t col = 0; col < n; ++col)
        for (int64_t row = 0; row < m; ++row) {
          double sum = 0;
          for (int64_t p = 0; p < k; ++p)
            sum += static_cast<double>(ta ? ai[row * lda + p] : ai[p * lda + row]) * (tb ? bi[p * ldb + col] : bi[col * ldb + p]);
          T& to = ci[col * ldc + row];
          to = static_cast<T>(scale * sum + (keep == 0 ? 0 : keep * to));
        }
    }
  });
  return done ? success : execution_failed;
}

template <class T>
int trsm(cublasContext* handle, const char* name, int side, int uplo, int trans, int diag, int64_t m, int64_t n, const T* alpha,
         const T* a, int64_t lda, T* b, int64_t ldb) {
  if (!handle) return not_initialized;
  const int64_t order = side == 0 ? m : n, sides = side == 0 ? n : m;
  if (m < 0 || n < 0 || lda < std::max<int64_t>(1, order) || ldb < std::max<int64_t>(1, m)) return invalid_value;
  if (m == 0 || n == 0) return success;
  if (is_refused(handle, name)) return execution_failed;
  const double scale = *alpha;
  const bool done = enqueue(name, handle->stream, [=] {
    if (!on_device(a, bytes_of<T>(order, order, lda)) || !on_device(b, bytes_of<T>(m, n, ldb))) {
      report(cudaErrorIllegalAddress, std::string(name) + ": an operand is not in one allocation of the device");
      return;
    }
    // op(a) seen from the left: x·op(a) = b is op(a)'·x' = b'.
    const bool turned = (trans != 0) != (side != 0);
    const bool forward = (uplo == 0) != turned;
    std::vector<double> x(static_cast<size_t>(order));
    for (int64_t s = 0; s < sides; ++s) {
      const auto at = [&](int64_t j) -> T& { return side == 0 ? b[s * ldb + j] : b[j * ldb + s]; };
      for (int64_t step = 0; step < order; ++step) {
        const int64_t j = forward ? step : order - 1 - step;
        double sum = scale * at(j);
        for (int64_t before = 0; before < step; ++before) {
          const int64_t k = forward ? before : order - 1 - before;
          sum -= x[static_cast<size_t>(k)] * (turned ? a[j * lda + k] : a[k * lda + j]);
        }
        x[static_cast<size_t>(j)] = diag ? sum : sum / a[j * lda + j];
      }
      for (int64_t j = 0; j < order; ++j) at(j) = static_cast<T>(x[static_cast<size_t>(j)]);
    }
  });
  return done ? success : execution_failed;
}

}  // namespace

extern "C" {

int cublasCreate_v2(cublasContext** handle) {
  *handle = new cublasContext{};
  return success;
}
int cublasDestroy_v2(cublasContext* handle) {
  delete handle;
  return success;
}
int cublasGetVersion_v2(cublasContext*, int* version) {
  *version = 130000;
  return success;
}
int cublasSetStream_v2(cublasContext* handle, cudaStream_t stream) {
  handle->stream = stream;
  handle->own_workspace = false;
  return success;
}
int cublasSetWorkspace_v2(cublasContext* handle, void* memory, size_t bytes) {
  handle->own_workspace = on_device(memory, bytes) && reinterpret_cast<uintptr_t>(memory) % 256 == 0;
  return handle->own_workspace ? success : invalid_value;
}
int cublasSetPointerMode_v2(cublasContext*, int mode) { return mode == 0 ? success : invalid_value; }
int cublasSetMathMode(cublasContext*, int) { return success; }

#define FLOW_TYPED(T, letter)                                                                                                     \
  int cublas##letter##gemm_v2_64(cublasContext* handle, int ta, int tb, int64_t m, int64_t n, int64_t k, const T* alpha,         \
                                 const T* a, int64_t lda, const T* b, int64_t ldb, const T* beta, T* c, int64_t ldc) {           \
    return gemm<T>(handle, "cublas" #letter "gemm", ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);            \
  }                                                                                                                               \
  int cublas##letter##gemmStridedBatched_64(cublasContext* handle, int ta, int tb, int64_t m, int64_t n, int64_t k,              \
                                            const T* alpha, const T* a, int64_t lda, long long a_step, const T* b, int64_t ldb,  \
                                            long long b_step, const T* beta, T* c, int64_t ldc, long long c_step,                \
                                            int64_t count) {                                                                     \
    return gemm<T>(handle, "cublas" #letter "gemmStridedBatched", ta, tb, m, n, k, alpha, a, lda, a_step, b, ldb, b_step, beta,   \
                   c, ldc, c_step, count);                                                                                        \
  }                                                                                                                               \
  int cublas##letter##trsm_v2_64(cublasContext* handle, int side, int uplo, int trans, int diag, int64_t m, int64_t n,           \
                                 const T* alpha, const T* a, int64_t lda, T* b, int64_t ldb) {                                    \
    return trsm<T>(handle, "cublas" #letter "trsm", side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb);                        \
  }
FLOW_TYPED(float, S)
FLOW_TYPED(double, D)
#undef FLOW_TYPED

}  // extern "C"
