// Passes over a matrix in which a thread keeps its columns and goes down the rows: what belongs to a column is read, or computed, once a
// thread, and sums of columns stay in registers.
//
// A unit is W columns side by side. Neighbouring threads take neighbouring units, then the next row: so a matrix without gaps is read
// as it lies, whatever its number of columns.
//
// The work f of a pass:
//   f.column(unit) → what a thread needs to know of its columns
//   f(known, row, unit)                       in walk_columns
//   f(known, row, unit, sums), sums[k][lane]  in fold_columns, which adds to K sums a column
// and what becomes of the sums:
//   finish.prepare(shared) → what all columns need; all threads of a block come, `shared` has fold_bytes<double>
//   finish(prepared, column, sums)
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

template <class F>
__global__ void __launch_bounds__(block_threads, 3) walk_columns_kernel(F f, int64_t rows, int64_t units, int across) {
  const int thread = static_cast<int>(threadIdx.x), down = block_threads / across;
  const int64_t unit = static_cast<int64_t>(blockIdx.x) * across + thread % across;
  if constexpr (requires { f.once(); }) f.once();  // all threads of the block come
  if (unit >= units || thread / across >= down) return;
  const auto known = f.column(unit);
  for (int64_t r = static_cast<int64_t>(blockIdx.y) * down + thread / across; r < rows; r += static_cast<int64_t>(gridDim.y) * down)
    f(known, r, unit);
}

/** The fewest equal parts of `units` that are at most `most`. */
inline int units_across(int64_t units, int64_t most) { return static_cast<int>(ceil_div(units, ceil_div(units, most))); }

/** f may have f.once(): what every block does first, all its threads together, with fold_bytes<double> of shared memory. */
template <class F>
bool walk_columns(const Call& call, int64_t rows, int64_t units, const F& f) {
  constexpr bool once = requires { f.once(); };
  if (!once && (rows <= 0 || units <= 0)) return true;
  const int across = units_across(max_of(1, units), block_threads), down = block_threads / across;
  const int64_t wide = max_of(1, ceil_div(units, across));
  const int64_t high = max_of(1, min_of(min_of(ceil_div(rows, down), 65535), 8 * int64_t{multiprocessors()} / wide));
  FLOW_LAUNCH((walk_columns_kernel<F>), dim3(static_cast<unsigned>(wide), static_cast<unsigned>(high)), block_threads,
              fold_bytes<double>(block_threads), f, rows, units, across);
  return launched(call);
}

/** What a Finish has that needs nothing of all columns. */
struct FinishAlone {
  __device__ __forceinline__ Nothing prepare(double*) const { return {}; }
};

/** Blocks fold pieces of the rows: to `partials` [K·W][units][pieces], or where there is one piece to finish. */
template <int K, int W, class F, class Finish>
__global__ void __launch_bounds__(block_threads, 3) fold_columns_kernel(F f, Finish finish, int64_t rows, int64_t units, int across,
                                                                     double* partials) {
  FLOW_SHARED(memory);
  double* shared = reinterpret_cast<double*>(memory);  // [K·W][block_threads], and fold_bytes
  const int thread = static_cast<int>(threadIdx.x), down = block_threads / across;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * across;
  // A thread without columns of its own has no rows, and looks on at the last column: all threads go the same way.
  const bool idle = first + thread % across >= units || thread / across >= down;
  const int64_t unit = idle ? units - 1 : first + thread % across;
  const int64_t stride = static_cast<int64_t>(gridDim.y) * down;
  double sums[K][W] = {};
  const auto known = f.column(unit);
  for (int64_t r = idle ? rows : static_cast<int64_t>(blockIdx.y) * down + thread / across; r < rows; r += stride)
    f(known, r, unit, sums);
#pragma unroll
  for (int i = 0; i < K * W; ++i) shared[i * block_threads + thread] = sums[i / W][i % W];
  __syncthreads();
  // The rows of threads, in order: a thread a sum.
  const int values = K * W * across;
  for (int v = thread; v < values; v += block_threads) {
    double* own = shared + v / across * block_threads + v % across;
    double total = own[0];
    for (int d = 1; d < down; ++d) total += own[d * across];
    if (!partials) own[0] = total;
    else if (first + v % across < units) partials[(v / across * units + first + v % across) * gridDim.y + blockIdx.y] = total;
  }
  if (partials) return;
  __syncthreads();
  const auto prepared = finish.prepare(shared + K * W * block_threads);
  for (int v = thread; v < W * across; v += block_threads) {
    const int column = v / W, lane = v % W;
    if (first + column >= units) continue;
    double total[K];
#pragma unroll
    for (int k = 0; k < K; ++k) total[k] = shared[(k * W + lane) * block_threads + column];
    finish(prepared, (first + column) * W + lane, total);
  }
}

/** A warp a column: its pieces. */
template <int K, int W, class Finish>
__global__ void __launch_bounds__(block_threads) fold_column_pieces(Finish finish, int64_t units, int64_t pieces,
                                                                    const double* partials) {
  FLOW_SHARED(memory);
  const auto prepared = finish.prepare(reinterpret_cast<double*>(memory));
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x) / warp_threads;
  if (column >= units * W) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  double total[K] = {};
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const double* own = partials + ((k * W + column % W) * units + column / W) * pieces;
    for (int64_t p = lane; p < pieces; p += warp_threads) total[k] += own[p];
    total[k] = warp_fold(total[k], Sum{});
  }
  if (lane == 0) finish(prepared, column, total);
}

/** How a matrix is cut for fold_columns, and the workspace that it needs. */
struct ColumnPlan {
  int64_t rows, units, pieces;
  int across;
  size_t bytes;
};
template <int K, int W>
ColumnPlan plan_columns(int64_t rows, int64_t units) {
  // 8 units a row and block: 128 bytes side by side where units are 16 bytes wide, and blocks for all columns.
  const int across = units_across(max_of(1, units), W > 1 ? 8 : 32), down = block_threads / across;
  constexpr int64_t enough_rows = 32;  // of a thread, before a second launch is worth it
  int64_t pieces = 1;
  if (rows > enough_rows * down)
    pieces = max_of(1, min_of(ceil_div(rows, 4 * down), 4 * int64_t{multiprocessors()} / ceil_div(units, across)));
  return {rows, units, pieces, across, pieces > 1 ? static_cast<size_t>(K * W * units * pieces) * sizeof(double) : 0};
}

/** f over all rows, then finish once a column; `partials` has plan.bytes. */
template <int K, int W, class F, class Finish>
bool fold_columns(const Call& call, const ColumnPlan& plan, const F& f, const Finish& finish, double* partials) {
  if (plan.units <= 0) return true;
  if (plan.pieces == 1) partials = nullptr;
  const dim3 grid(static_cast<unsigned>(ceil_div(plan.units, plan.across)), static_cast<unsigned>(plan.pieces));
  FLOW_LAUNCH((fold_columns_kernel<K, W, F, Finish>), grid, block_threads,
              K * W * block_threads * sizeof(double) + fold_bytes<double>(block_threads), f, finish, plan.rows, plan.units,
              plan.across, partials);
  if (partials)
    FLOW_LAUNCH((fold_column_pieces<K, W, Finish>), static_cast<unsigned>(ceil_div(plan.units * W * warp_threads, block_threads)),
                block_threads, fold_bytes<double>(block_threads), finish, plan.units, plan.pieces,
                static_cast<const double*>(partials));
  return launched(call);
}
template <int K, int W, class F, class Finish>
bool fold_columns(const Call& call, int64_t rows, int64_t units, const F& f, const Finish& finish) {
  const ColumnPlan plan = plan_columns<K, W>(rows, units);
  double* partials = plan.bytes ? static_cast<double*>(workspace(plan.bytes)) : nullptr;
  if (plan.bytes && !partials) return call.fail("the GPU has no memory for the sums of %lld pieces", ll(plan.pieces));
  return fold_columns<K, W>(call, plan, f, finish, partials);
}

/** The sum over x[0 … n), in all threads of the block. */
__device__ __forceinline__ double block_sum(const double* x, int64_t n, double* shared) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  return block_fold(sum, Sum{}, shared);
}

}  // namespace flow::cuda
