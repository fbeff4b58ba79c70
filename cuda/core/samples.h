// Passes over samples, each of some units of work, with one sum a sample in float64: log-densities and log-determinants.
//
// Lanes of a warp share a small sample and fold its sum by shuffles; a block, or several, share a large one. The work f of a pass:
//   f.sample(n) → what a thread needs to know of its sample
//   f(known, n, unit) → a part of the sum; void in walk_samples, which has none
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

/** Where sums go; negated, never −0. */
struct SampleSums {
  Vector<double> out;
  bool negated;

  __device__ __forceinline__ void put(int64_t n, double sum) const { *out.at(n) = negated ? 0.0 - sum : sum; }
};
struct NoSums {};

/** All units of sample n from `first` on, every `step`-th. */
template <bool summed, class F>
__device__ __forceinline__ double walk_units(const F& f, int64_t n, int64_t first, int64_t end, int64_t step) {
  double sum = 0;
  const auto known = f.sample(n);
  for (int64_t u = first; u < end; u += step) {
    if constexpr (summed) sum += f(known, n, u);
    else f(known, n, u);
  }
  return sum;
}

/** `lanes` threads a sample: a power of two, at most a warp. */
template <class F, class Sums>
__global__ void __launch_bounds__(block_threads, 2) share_warps(F f, int64_t samples, int64_t units, int lanes, Sums sums) {
  constexpr bool summed = !__is_empty(Sums);
  const int thread = static_cast<int>(threadIdx.x), groups = static_cast<int>(blockDim.x) / lanes;
  // The whole block goes on or ends: shuffles need all lanes.
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * groups; first < samples; first += static_cast<int64_t>(gridDim.x) * groups) {
    const int64_t n = first + thread / lanes;
    double sum = n < samples ? walk_units<summed>(f, n, thread % lanes, units, lanes) : 0;
    if constexpr (summed) {
      for (int d = lanes / 2; d > 0; d /= 2) sum += __shfl_xor_sync(full_warp, sum, d);
      if (n < samples && thread % lanes == 0) sums.put(n, sum);
    }
  }
}

/** A block a piece of `length` units of a sample; its sum to `partials` [samples][pieces], where there are several. */
template <class F, class Sums>
__global__ void __launch_bounds__(block_threads, 2) share_blocks(F f, int64_t units, int64_t length, Sums sums, double* partials) {
  constexpr bool summed = !__is_empty(Sums);
  const int64_t n = blockIdx.x, start = blockIdx.y * length, end = start + length < units ? start + length : units;
  double sum = walk_units<summed>(f, n, start + threadIdx.x, end, block_threads);
  if constexpr (summed) {
    FLOW_SHARED(memory);
    sum = block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
    if (threadIdx.x != 0) return;
    if (partials) partials[n * gridDim.y + blockIdx.y] = sum;
    else sums.put(n, sum);
  }
}

template <class Sums>
__global__ void __launch_bounds__(block_threads) fold_samples(int64_t samples, int64_t pieces, const double* partials, Sums sums) {
  const int64_t n = (static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x) / warp_threads;
  if (n >= samples) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  double sum = 0;
  for (int64_t p = lane; p < pieces; p += warp_threads) sum += partials[n * pieces + p];
  sum = warp_fold(sum, Sum{});
  if (lane == 0) sums.put(n, sum);
}

template <class F, class Sums>
bool share_samples(const Call& call, int64_t samples, int64_t units, const F& f, const Sums& sums) {
  constexpr bool summed = !__is_empty(Sums);
  if (samples <= 0) return true;
  const int64_t multiprocessors = cuda::multiprocessors();
  constexpr int64_t most_units = 16;  // of a thread, before more threads are worth it
  if (units <= most_units * warp_threads) {
    int lanes = 1;
    while (lanes < warp_threads && 4 * lanes <= units) lanes *= 2;
    // Few threads are spread over all multiprocessors.
    const int64_t warps = ceil_div(samples * lanes, warp_threads);
    const int64_t threads = warp_threads * max_of(1, min_of(block_threads / warp_threads, warps / multiprocessors));
    FLOW_LAUNCH((share_warps<F, Sums>), blocks_for(samples * lanes, threads), static_cast<unsigned>(threads), 0, f, samples, units,
                lanes, sums);
    return launched(call);
  }
  const int64_t busy = max_of(1, ceil_div(4 * multiprocessors, samples));
  const int64_t pieces = max_of(1, min_of(min_of(busy, 65535), ceil_div(units, 4 * block_threads)));
  const int64_t length = ceil_div(units, pieces);
  double* partials = nullptr;
  if (summed && pieces > 1) {
    partials = static_cast<double*>(workspace(static_cast<size_t>(samples * pieces) * sizeof(double)));
    if (!partials) return call.fail("the GPU has no memory for the sums of %lld pieces", ll(samples * pieces));
  }
  FLOW_LAUNCH((share_blocks<F, Sums>), dim3(static_cast<unsigned>(samples), static_cast<unsigned>(pieces)), block_threads,
              summed ? fold_bytes<double>(block_threads) : 0, f, units, length, sums, partials);
  if constexpr (summed)
    if (partials)
      FLOW_LAUNCH((fold_samples<Sums>), static_cast<unsigned>(ceil_div(samples * warp_threads, block_threads)), block_threads, 0, samples,
                  pieces, static_cast<const double*>(partials), sums);
  return launched(call);
}

template <class F>
bool sum_samples(const Call& call, int64_t samples, int64_t units, const F& f, const SampleSums& sums) {
  return share_samples(call, samples, units, f, sums);
}
template <class F>
bool walk_samples(const Call& call, int64_t samples, int64_t units, const F& f) {
  return units <= 0 || share_samples(call, samples, units, f, NoSums{});
}

}  // namespace flow::cuda
