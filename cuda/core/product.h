// Products of matrices that cuBLAS does not know: staircases, convolutions, triangles. C[i, j] = Σ_k A(i, k)·B(k, j), where A and B
// are rules that find an element, so that nothing is unpacked first, a range says which k a tile needs at all, and an epilogue
// takes the values.
//
// A block makes a tile of 64 × 64, 16 deep at a time: the next 16 come from memory into registers while those in shared memory are
// multiplied, 4 × 4 values a thread. For 16 multiply-adds a thread loads two vectors of 4 from shared memory, which is what its
// bandwidth allows. Floor: 2·m·n·k operations over the ranges; each element of A is read n/64 times, of B m/64 times, mostly from
// L2. Where there are too few tiles to fill the device, k is cut into parts whose results a second launch adds in float64, in order:
// the same bits at each run.
//
// A rule has
//   deep             whether neighbours in k are neighbours in memory (else those in i): says how threads are dealt out
//   Row row(batch, i), Depth depth(k)       what a thread needs to know of a row, of a k; once each
//   T load(Row, Depth)
// and a range  Span operator()(batch, i0, j0, shared): k of the tile at (i0, j0); all threads call it.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/epilogue.h"

namespace flow::cuda {

inline constexpr int tile_side = 64;
inline constexpr int tile_depth = 16;
inline constexpr int tile_pitch = tile_side + 4;
/** Two pieces of A and of B, and as much as the tile. */
template <class T>
inline constexpr size_t product_bytes = size_t{4} * tile_depth * tile_pitch * sizeof(T);
static_assert(4 * tile_depth == tile_side);

struct ProductShape {
  int64_t m, n, k;
  int64_t batches = 1;
};
struct Span {
  int64_t begin, end;
};
struct WholeDepth {
  int64_t k;
  __device__ __forceinline__ Span operator()(int64_t, int64_t, int64_t, void*) const { return {0, k}; }
};

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

/** Sums over k of the rows of A, made on the way: the gradient of a bias beside that of its weight. */
template <class T>
struct RowSums {
  T* out;            // where k is not cut; else
  double* partials;  // [batch, part][m]
};
struct NoRowSums {};

/** blockIdx.x: tile, columns first; blockIdx.y: part of k; blockIdx.z: batch. `parts` null: k is not cut. */
template <class T, class A, class B, class Range, class Out, class Sums>
__global__ void __launch_bounds__(block_threads, sizeof(T) == 4 ? 2 : 1)
    product_tiles(A a, B b, Range range, Out out, Sums sums, int64_t m, int64_t n, T* parts) {
  constexpr bool summed = !__is_empty(Sums);
  FLOW_SHARED(memory);
  constexpr int piece = tile_depth * tile_pitch;
  T* const pieces = reinterpret_cast<T*>(memory);  // A, B; A, B
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  const int64_t across = (n + tile_side - 1) / tile_side;
  const int64_t i0 = blockIdx.x / across * tile_side, j0 = blockIdx.x % across * tile_side;
  const int64_t batch = blockIdx.z;

  Span span = range(batch, i0, j0, memory);
  if (gridDim.y > 1) {
    const int64_t chunks = (span.end - span.begin + tile_depth - 1) / tile_depth;
    const int64_t length = (chunks + gridDim.y - 1) / gridDim.y * tile_depth;
    span.begin += blockIdx.y * length;
    if (span.begin + length < span.end) span.end = span.begin + length;
  }

  T sum[4][4] = {};
  [[maybe_unused]] double row_sum = 0;
  const PieceReader<T, A> read_a(a, batch, i0, m);
  const PieceReader<T, B> read_b(b, batch, j0, n);
  if (span.begin < span.end) {
    T next_a[4], next_b[4];
    read_a.read(a, span.begin, span.end, next_a);
    read_b.read(b, span.begin, span.end, next_b);
    int turn = 0;
    for (int64_t k0 = span.begin; k0 < span.end; k0 += tile_depth, turn ^= 1) {
      T* const piece_a = pieces + turn * 2 * piece;
      T* const piece_b = piece_a + piece;
      read_a.write(piece_a, next_a);
      read_b.write(piece_b, next_b);
      // One barrier a turn: the pieces that are written next were last read before it.
      __syncthreads();
      if (k0 + tile_depth < span.end) {
        read_a.read(a, k0 + tile_depth, span.end, next_a);
        read_b.read(b, k0 + tile_depth, span.end, next_b);
      }
#pragma unroll
      for (int k = 0; k < tile_depth; ++k) {
        T left[4], right[4];
        load<4>(left, piece_a + k * tile_pitch + ty * 4);
        load<4>(right, piece_b + k * tile_pitch + tx * 4);
#pragma unroll
        for (int r = 0; r < 4; ++r)
#pragma unroll
          for (int c = 0; c < 4; ++c) sum[r][c] += left[r] * right[c];
      }
      if constexpr (summed) {
        if (j0 == 0 && thread < tile_side) {
          T some = 0;
#pragma unroll
          for (int k = 0; k < tile_depth; ++k) some += piece_a[k * tile_pitch + thread];
          row_sum += static_cast<double>(some);
        }
      }
    }
  }
  if constexpr (summed) {
    if (j0 == 0 && thread < tile_side && i0 + thread < m) {
      if (parts) sums.partials[(batch * gridDim.y + blockIdx.y) * m + i0 + thread] = row_sum;
      else sums.out[i0 + thread] = static_cast<T>(row_sum);
    }
  }
  // Each thread's values go through shared memory and back, to be taken by one copy of the epilogue's code, row by row.
  __syncthreads();
  T* const own = pieces + ty * 4 * tile_pitch + tx * 4;
#pragma unroll
  for (int r = 0; r < 4; ++r) store<4>(own + r * tile_pitch, sum[r]);
  const int64_t i = i0 + ty * 4, j = j0 + tx * 4;
  if (j >= n) return;
  const int live = n - j < 4 ? static_cast<int>(n - j) : 4;
  const int rows = m - i < 4 ? static_cast<int>(m - i) : 4;
#pragma unroll 1
  for (int r = 0; r < rows; ++r) {
    T v[4];
    load<4>(v, own + r * tile_pitch);
    if (!parts) {
      out(batch, i + r, j, live, v);
      continue;
    }
    T* to = parts + ((batch * gridDim.y + blockIdx.y) * m + i + r) * n + j;
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (c < live) to[c] = v[c];
  }
}

/** The parts of k, added in order, and their epilogue. A thread takes four columns; behind the columns stand the sums of rows. */
template <class T, class Out, class Sums>
__global__ void __launch_bounds__(block_threads)
    add_parts(Out out, Sums sums, int64_t m, int64_t n, int64_t batches, int64_t count, const T* parts) {
  constexpr bool summed = !__is_empty(Sums);
  const int64_t groups = (n + 3) / 4, own = batches * m * groups, all = own + (summed ? m : 0);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t g = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; g < all; g += stride) {
    if constexpr (summed) {
      if (g >= own) {
        double total = 0;
        for (int64_t p = 0; p < count; ++p) total += sums.partials[p * m + g - own];
        sums.out[g - own] = static_cast<T>(total);
        continue;
      }
    }
    const int64_t row = g / groups, j = g % groups * 4, batch = row / m, i = row % m;
    const int live = n - j < 4 ? static_cast<int>(n - j) : 4;
    double total[4] = {};
    for (int64_t p = 0; p < count; ++p) {
      const T* from = parts + ((batch * count + p) * m + i) * n + j;
#pragma unroll
      for (int c = 0; c < 4; ++c) total[c] += c < live ? static_cast<double>(from[c]) : 0.0;
    }
    T v[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) v[c] = static_cast<T>(total[c]);
    out(batch, i, j, live, v);
  }
}

/** Into how many parts k is cut: so many that the device is full, if they are long enough to be worth it. */
inline int64_t parts_of(int64_t tiles, int64_t k) {
  const int64_t wanted = ceil_div(2 * int64_t{current().multiprocessors}, max_of(1, tiles));
  return max_of(1, min_of(min_of(wanted, k / (8 * tile_depth)), 64));
}

/** What a product does with k, and the memory for it. */
template <class T>
struct ProductPlan {
  int64_t tiles, parts;
  size_t sum_bytes = 0, bytes = 0;

  explicit ProductPlan(const ProductShape& shape, bool summed = false) {
    tiles = ceil_div(shape.m, tile_side) * ceil_div(shape.n, tile_side);
    parts = parts_of(tiles * shape.batches, shape.k);
    if (parts < 2) return;
    if (summed) sum_bytes = static_cast<size_t>(ceil_div(parts * shape.m, 32) * 32) * sizeof(double);
    bytes = sum_bytes + static_cast<size_t>(shape.batches * parts * shape.m * shape.n) * sizeof(T);
  }
};

/** C = A·B over the ranges, given to `out`. `memory`: as many bytes as the plan says; null: the workspace of the call. */
template <class T, class A, class B, class Range, class Out, class Sums = NoRowSums>
bool product(const Call& call, const ProductShape& shape, const A& a, const B& b, const Range& range, const Out& out,
             Sums sums = {}, void* memory = nullptr) {
  constexpr bool summed = !__is_empty(Sums);
  if (shape.m <= 0 || shape.n <= 0 || shape.batches <= 0) return true;
  const ProductPlan<T> plan(shape, summed);
  FLOW_CHECK(call, plan.tiles < (int64_t{1} << 31) && shape.batches < 65536,
             "sizes: %lld × %lld × %lld are too many for one launch", ll(shape.batches), ll(shape.m), ll(shape.n));
  T* parts = nullptr;
  if (plan.parts > 1) {
    char* block = static_cast<char*>(memory ? memory : workspace(plan.bytes));
    if (!block)
      return call.fail("the GPU has no memory for the parts of a product, %lld bytes", ll(static_cast<int64_t>(plan.bytes)));
    if constexpr (summed) sums.partials = reinterpret_cast<double*>(block);
    parts = reinterpret_cast<T*>(block + plan.sum_bytes);
  }
  FLOW_LAUNCH((product_tiles<T, A, B, Range, Out, Sums>),
              dim3(static_cast<unsigned>(plan.tiles), static_cast<unsigned>(plan.parts), static_cast<unsigned>(shape.batches)),
              block_threads, product_bytes<T>, a, b, range, out, sums, shape.m, shape.n, parts);
  if (plan.parts > 1)
    FLOW_LAUNCH((add_parts<T, Out, Sums>), blocks_for(shape.batches * shape.m * ceil_div(shape.n, 4) + (summed ? shape.m : 0)),
                block_threads, 0, out, sums, shape.m, shape.n, shape.batches, plan.parts, static_cast<const T*>(parts));
  return launched(call);
}

}  // namespace flow::cuda
