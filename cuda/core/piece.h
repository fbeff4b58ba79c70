// Rules that find the elements of a matrix, and the pieces of it that a block of core/product.h holds in shared memory.
//
// A rule has
//   deep             whether neighbours in k are neighbours in memory (else those in i): says how threads are dealt out
//   Row row(batch, i), Depth depth(k)       what a thread needs to know of a row, of a k; once each
//   T load(Row, Depth)
#pragma once
#include "cuda/core/launch.h"

namespace flow::cuda {

inline constexpr int tile_side = 64;
inline constexpr int tile_depth = 16;
inline constexpr int tile_pitch = tile_side + 4;

/** A(i, k) = p[i·ld + k] */
template <class T>
struct ByRows {
  static constexpr bool deep = true;
  using Row = const T*;
  using Depth = int64_t;
  const T* p;
  int64_t ld;
  int64_t batch_step = 0;
  __device__ __forceinline__ Row row(int64_t batch, int64_t i) const { return p + batch * batch_step + i * ld; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k; }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};
/** A(i, k) = p[k·ld + i] */
template <class T>
struct ByColumns {
  static constexpr bool deep = false;
  using Row = const T*;
  using Depth = int64_t;
  const T* p;
  int64_t ld;
  int64_t batch_step = 0;
  __device__ __forceinline__ Row row(int64_t batch, int64_t i) const { return p + batch * batch_step + i; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k * ld; }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};

/** A thread's four elements of a 64 × 16 piece of a rule: their rows and what is known of them. */
template <class T, class Rule>
struct PieceReader {
  static constexpr int rows = Rule::deep ? 4 : 1;
  typename Rule::Row known[rows];
  bool live[rows];
  int first_row, first_k;

  __device__ __forceinline__ PieceReader(const Rule& rule, int64_t batch, int64_t i0, int64_t count) {
    const int thread = static_cast<int>(threadIdx.x);
    first_row = Rule::deep ? thread / tile_depth : thread % tile_side;
    first_k = Rule::deep ? thread % tile_depth : thread / tile_side;
#pragma unroll
    for (int q = 0; q < rows; ++q) {
      const int64_t i = i0 + first_row + q * (block_threads / tile_depth);
      live[q] = i < count;
      known[q] = rule.row(batch, live[q] ? i : 0);
    }
  }
  __device__ __forceinline__ void read(const Rule& rule, int64_t k0, int64_t end, T (&to)[4]) const {
    if constexpr (Rule::deep) {
      const int64_t k = k0 + first_k;
      const auto depth = rule.depth(k < end ? k : end - 1);
#pragma unroll
      for (int q = 0; q < 4; ++q) to[q] = live[q] && k < end ? rule.load(known[q], depth) : T(0);
    } else {
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        const int64_t k = k0 + first_k + q * (block_threads / tile_side);
        to[q] = live[0] && k < end ? rule.load(known[0], rule.depth(k)) : T(0);
      }
    }
  }
  __device__ __forceinline__ void write(T* piece, const T (&from)[4]) const {
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      if constexpr (Rule::deep) piece[first_k * tile_pitch + first_row + q * (block_threads / tile_depth)] = from[q];
      else piece[(first_k + q * (block_threads / tile_side)) * tile_pitch + first_row] = from[q];
    }
  }
};

}  // namespace flow::cuda
