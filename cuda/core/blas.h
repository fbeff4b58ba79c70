// cuBLAS behind the few calls that we make: matrix products and triangular solves of row-major matrices.
//
// The library is found when a context is opened, not linked: so the plug-in loads without it, and that it is missing is a reason of
// its own. It is looked for by FLOW_KERNELS_CUBLAS (a file or a folder), beside the plug-in, by the loader's own path, in the
// toolkit's folder, and in the wheels nvidia-cublas and nvidia-cublas-cu12 of an active Python environment.
//
// No header of cuBLAS is needed to build: blas.cc declares the dozen C functions, whose binary interface is that of every cuBLAS
// since 12.0 (docs.nvidia.com/cuda/cublas, "64-bit integer interface"; cublas_api.h of the wheel).
//
// float32 is computed in float32; TF32 only where set_tf32 was called. The workspace is ours, so that graphs capture the calls, and one
// stream uses it, so that the results of a device are the same at each run.
#pragma once
#include <cuda_runtime.h>

#include <stdint.h>

#include "core/op.h"

namespace flow::cuda {

struct Blas;

/** Finds the library and makes a handle whose work goes to `stream`; null after filling in the failure. */
Blas* open_blas(cudaStream_t stream, int compute_major, Failure* failure);
void close_blas(Blas* blas);
int blas_version(const Blas* blas);  // 130100: 13.1.0
void set_tf32(Blas* blas, bool allowed);
bool allows_tf32(const Blas* blas);

/** c [m, n] = alpha·op(a)·op(b) + beta·c; a is [m, k], or [k, m] where it is transposed; b [k, n] or [n, k]. */
template <class T>
bool blas_gemm(const Call& call, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_ld,
               const T* b, int64_t b_ld, T* c, int64_t c_ld, T alpha = 1, T beta = 0);

/** `count` of them, from one matrix to the next so many elements. */
template <class T>
bool blas_gemm_batched(const Call& call, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_ld,
                       int64_t a_step, const T* b, int64_t b_ld, int64_t b_step, T* c, int64_t c_ld, int64_t c_step, int64_t count,
                       T alpha = 1, T beta = 0);

struct Triangle {
  bool lower, transpose, unit;
};
/** x ← the solution of x·op(t) = x, x [sides, n]; or, `left`, of op(t)·x = x, x [n, sides]. A zero on the diagonal gives infinities. */
template <class T>
bool blas_trsm(const Call& call, bool left, Triangle form, int64_t n, int64_t sides, const T* t, int64_t t_ld, T* x, int64_t x_ld);

}  // namespace flow::cuda
