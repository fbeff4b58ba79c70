// Increasing functions of one number (math/monotone_*.h): the choice of the family, a thread a number, and the sums of a sample.
//
// A thread keeps what it prepares of its parameters in a column of its own of the workspace, [rows][threads], so that neighbours
// write side by side; parameters are read where they lie.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {

// What math/rows.h asks for, of one number.
template <class V>
FLOW_FORMULA V load(const V* p) {
  return *p;
}
FLOW_FORMULA void store(float* p, float value) { *p = value; }
FLOW_FORMULA void store(double* p, double value) { *p = value; }

}  // namespace flow::cuda

#include "math/monotone_dsf.h"
#include "math/monotone_logistic.h"
#include "math/monotone_polynomials.h"
#include "ops/monotone_operands.h"

namespace flow::cuda {

/** The numbers of x [N, D]; number e = n·D + i has its parameters in the columns i·P … of row n. */
template <class T>
struct Numbers {
  int64_t count, cols, params;
  Matrix<const T> x;
  Matrix<const T> p;

  __device__ __forceinline__ T at(int64_t e) const { return *x.at(e / cols, e % cols); }
  __device__ __forceinline__ Rows<T> raw(int64_t e) const {
    return {const_cast<T*>(p.at(e / cols, e % cols * params)), 1};  // read alone
  }
};

/** The workspace of a launch: `rows` numbers a thread, then three a number of x. Threads: few enough for 64 MB of the first. */
template <class T>
struct MonotoneSpace {
  T* work = nullptr;
  T* each = nullptr;
  unsigned blocks = 0;

  bool make(const Call& call, int64_t rows, int64_t count, int64_t of_each) {
    constexpr int64_t most_bytes = int64_t{64} << 20;
    const int64_t bytes_of_block = max_of(1, rows) * block_threads * static_cast<int64_t>(sizeof(T));
    blocks = static_cast<unsigned>(max_of(1, min_of(blocks_for(count), most_bytes / bytes_of_block)));
    const size_t bytes = static_cast<size_t>(blocks * bytes_of_block) + static_cast<size_t>(of_each * count) * sizeof(T);
    work = static_cast<T*>(workspace(bytes));
    if (!work) return call.fail("the GPU has no memory for the parameters of %lld threads", ll(blocks) * block_threads);
    each = work + blocks * bytes_of_block / static_cast<int64_t>(sizeof(T));
    return true;
  }
};

/** This thread's column of the workspace. */
template <class T>
__device__ __forceinline__ Rows<T> own_rows(T* work) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  return {work + static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, threads};
}

/** log_det[n] ← sign·Σ logs of the sample: a warp a sample. */
template <class T>
__global__ void __launch_bounds__(block_threads) fold_logs(int64_t samples, int64_t cols, const T* logs, double sign, Vector<double> log_det) {
  const int64_t n = (static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x) / warp_threads;
  if (n >= samples) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  double sum = 0;
  for (int64_t i = lane; i < cols; i += warp_threads) sum += static_cast<double>(logs[n * cols + i]);
  sum = warp_fold(sum, Sum{});
  if (lane == 0) *log_det.at(n) = 0.0 + sign * sum;
}

inline unsigned warp_blocks(int64_t samples) { return static_cast<unsigned>(ceil_div(samples * warp_threads, block_threads)); }

}  // namespace flow::cuda
