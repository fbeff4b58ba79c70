// Lists of matrices by their triangles: the small ones of a model in one launch, a block each, with all of it in shared memory; a large one
// by cuBLAS.
//
// The table of the small ones stands in the kernel's arguments, at most 4 KB, so that a captured launch holds its own.
#pragma once
#include "cuda/core/blas.h"
#include "cuda/core/lu.h"
#include "cuda/core/shared.h"

namespace flow::cuda {

/**
 * Side up to which a block composes a matrix. 64: some 90,000 multiply-adds, 3 µs of a block, as long as the two launches of the other way
 * take; and its gradient's 66 KB of float64 fit the shared memory of every device.
 */
inline constexpr int64_t lu_block_side = 64;

template <class Entry>
struct LuTable {
  static constexpr int most = 4000 / static_cast<int>(sizeof(Entry));
  Entry entry[most];
};

/** By the first warp of a block. */
template <class S>
__device__ __forceinline__ void write_lu_log_det(const LuFactors<S>& lu, double* log_det) {
  if (!log_det || threadIdx.x >= warp_threads) return;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < lu.n; i += warp_threads) sum += static_cast<double>(lu.log_scale[i]);
  sum = warp_fold(sum, Sum{});
  if (threadIdx.x == 0) *log_det = sum;
}

/** shared[i, k] ← factors, s on the diagonal. */
template <class S>
__device__ __forceinline__ void load_factors(const LuFactors<S>& lu, S* shared, int pitch) {
  const int n = static_cast<int>(lu.n);
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += static_cast<int>(blockDim.x)) {
    const int i = e / n, k = e % n;
    shared[i * pitch + k] = i == k ? static_cast<S>(lu.diagonal(i)) : lu.factors[i * lu.ld + k];
  }
}

/** P·L (or the rows of a single triangle in their places) and U + diag(s), each [n, n]. */
template <class S>
__global__ void __launch_bounds__(block_threads) unpack_lu(LuFactors<S> lu, S* lower, S* upper, double* log_det) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, k = e % lu.n;
    lower[lu.row(i) * lu.n + k] = lu.lower(i, k);
    upper[e] = lu.upper(i, k);
  }
  if (blockIdx.x == 0) write_lu_log_det(lu, log_det);
}

/** Products in full precision: W belongs to its log-determinant and its inverse, whatever tensor cores may do elsewhere. */
class FullPrecision {
 public:
  FullPrecision() : tf32_(allows_tf32(current_blas())) {
    if (tf32_) set_tf32(current_blas(), false);
  }
  ~FullPrecision() {
    if (tf32_) set_tf32(current_blas(), true);
  }
  FullPrecision(const FullPrecision&) = delete;
  FullPrecision& operator=(const FullPrecision&) = delete;

 private:
  bool tf32_;
};

/**
 * The matrices in[per_in·k], which were checked: make(k, factors) → the entry of matrix k; launch(table, count, n) for full tables of those
 * of up to `most_side` rows, n the largest side in it; large(entry) for the others, after them.
 */
template <class T, class Entry, class Make, class Launch, class Large>
bool for_matrices(const Call& call, int per_in, int64_t most_side, const Make& make, const Launch& launch, const Large& large) {
  const auto small = [&](int k) { return call.in[per_in * k].cols <= most_side; };
  const auto entry = [&](int k) -> Entry {
    LuOperands lu;
    read_lu(call, per_in * k, call.attr[k], lu);
    return make(k, in_kernel<T>(lu));
  };
  LuTable<Entry> table;
  static_assert(sizeof table <= 4000);
  int count = 0;
  int64_t side = 0;
  const auto flush = [&] {
    if (count == 0) return true;
    const bool done = launch(table, static_cast<unsigned>(count), side);
    count = 0;
    side = 0;
    return done;
  };
  for (int k = 0; k < call.n_attr; ++k) {
    if (!small(k)) continue;
    if (count == LuTable<Entry>::most && !flush()) return false;
    table.entry[count] = entry(k);
    side = max_of(side, table.entry[count++].lu.n);
  }
  if (!flush()) return false;
  for (int k = 0; k < call.n_attr; ++k)
    if (!small(k) && !large(entry(k))) return false;
  return true;
}

/** Launches with as much shared memory as is needed. */
#define FLOW_LAUNCH_WITH_SHARED(kernel, grid, block, bytes, ...)   \
  do {                                                             \
    if ((bytes) > (size_t{48} << 10)) allow_shared(kernel);        \
    FLOW_LAUNCH((kernel), grid, block, bytes, __VA_ARGS__);        \
  } while (0)

}  // namespace flow::cuda
