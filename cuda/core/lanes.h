// A block that takes 32 samples, one a lane: numbers of the samples stand side by side as [row][lane], a warp computes a unit for all of
// them, and weights come from L2, one address a warp. Where few units are due, several warps share the sum of each.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/launch.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

inline constexpr int block_lanes = warp_threads;
inline constexpr int lane_pitch = block_lanes + 1;  // tiles are turned on their way in and out
inline constexpr int lane_warps = block_threads / warp_threads;

/** Σ w[k·step]·h[k][lane] over from ≤ k < to. */
template <class T>
__device__ __forceinline__ T lane_dot(const T* w, int step, int from, int to, const T* h) {
  T even = 0, odd = 0;
  int k = from;
  for (; k + 4 <= to; k += 4) {
    const T w0 = w[static_cast<int64_t>(k) * step], w1 = w[static_cast<int64_t>(k + 1) * step];
    const T w2 = w[static_cast<int64_t>(k + 2) * step], w3 = w[static_cast<int64_t>(k + 3) * step];
    even += w0 * h[k * lane_pitch];
    odd += w1 * h[(k + 1) * lane_pitch];
    even += w2 * h[(k + 2) * lane_pitch];
    odd += w3 * h[(k + 3) * lane_pitch];
  }
  for (; k < to; ++k) even += w[static_cast<int64_t>(k) * step] * h[k * lane_pitch];
  return even + odd;
}

/** Part `part` of `parts` of from … to. */
__device__ __forceinline__ int part_start(int from, int to, int part, int parts) { return from + (to - from) * part / parts; }

/** sum(unit, part, parts) of the units first … last − 1, then finish(unit, sum) in the lanes of one warp. All threads come. */
template <class T, class Part, class Finish>
__device__ __forceinline__ void work_off(int first, int last, T* shared_parts, const Part& sum, const Finish& finish) {
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  if (last <= first) return;
  int parts = 1;
  while (parts * 2 * (last - first) <= lane_warps) parts *= 2;
  const int part = warp % parts;
  for (int base = first; base < last; base += lane_warps / parts) {
    const int unit = base + warp / parts;
    T own = unit < last ? sum(unit, part, parts) : T(0);
    if (parts == 1) {
      if (unit < last) finish(unit, own);
      continue;
    }
    shared_parts[warp * lane_pitch + lane] = own;
    __syncthreads();
    if (part == 0 && unit < last) {
      for (int p = 1; p < parts; ++p) own += shared_parts[(warp + p) * lane_pitch + lane];
      finish(unit, own);
    }
    __syncthreads();
  }
}

/** rows[c][lane] ← from[first + lane, c], or back. */
template <class T>
__device__ __forceinline__ void load_samples(const Matrix<const T>& from, int64_t first, int live, int cols, T* rows) {
  for (int e = static_cast<int>(threadIdx.x); e < block_lanes * cols; e += block_threads)
    rows[e % cols * lane_pitch + e / cols] = e / cols < live ? *from.at(first + e / cols, e % cols) : T(0);
}
template <class T>
__device__ __forceinline__ void store_samples(const Matrix<T>& to, int64_t first, int live, int cols, const T* rows) {
  for (int e = static_cast<int>(threadIdx.x); e < live * cols; e += block_threads)
    *to.at(first + e / cols, e % cols) = rows[e % cols * lane_pitch + e / cols];
}

}  // namespace flow::cuda
