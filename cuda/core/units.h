// Linear maps of a few rows that one block computes step after step, as networks do that draw one number after the other: the rows are
// those of its own samples, the weights come from L2 in each step.
//
// Eight lanes share a unit, so that they read 32 bytes of its weights at once, and a weight is used for all Q rows; then they fold
// their sums, and lane q finishes row q.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/launch.h"

namespace flow::cuda {

inline constexpr int unit_lanes = 8;

/** add(unit, lane, sums[K][Q]) adds a lane's share of K sums a row; finish(unit, row, sums[K]). All threads of the block come. */
template <class T, int Q, int K, class Add, class Finish>
__device__ __forceinline__ void for_units(int64_t units, const Add& add, const Finish& finish) {
  static_assert(Q <= unit_lanes);
  const int lane = static_cast<int>(threadIdx.x) % unit_lanes, group = static_cast<int>(threadIdx.x) / unit_lanes;
  constexpr int groups = block_threads / unit_lanes;
  for (int64_t first = 0; first < units; first += groups) {
    const int64_t unit = first + group;
    T sums[K][Q] = {};
    if (unit < units) add(unit, lane, sums);
    T own[K] = {};
#pragma unroll
    for (int k = 0; k < K; ++k) {
#pragma unroll
      for (int q = 0; q < Q; ++q) {
#pragma unroll
        for (int d = unit_lanes / 2; d > 0; d /= 2) sums[k][q] += __shfl_xor_sync(full_warp, sums[k][q], d);
        if (lane == q) own[k] = sums[k][q];
      }
    }
    if (unit < units && lane < Q) finish(unit, lane, own);
  }
}

/** sums[q] += Σ w[k]·row(q, k) over a lane's share of 0 ≤ k < n. */
template <class T, int Q, class Read>
__device__ __forceinline__ void add_products(T (&sums)[Q], const T* w, int64_t n, int lane, const Read& row) {
  for (int64_t k = lane; k < n; k += unit_lanes) {
    const T weight = w[k];
#pragma unroll
    for (int q = 0; q < Q; ++q) sums[q] += weight * row(q, k);
  }
}

}  // namespace flow::cuda
