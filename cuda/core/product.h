// Products of matrices that cuBLAS does not know: staircases, convolutions, triangles. C[i, j] = Σ_k A(i, k)·B(k, j), where A and B
// are rules that find an element, so that nothing is unpacked first, a range says which k a tile needs at all, and an epilogue
// takes the values.
//
// A block makes a tile of 64 × 64, 16 deep at a time: the next 16 come from memory into registers while those in shared memory are
// multiplied, 4 × 4 values a thread. For 16 multiply-adds a thread loads two vectors of 4 from shared memory, which is what its
// bandwidth allows. Floor: 2·m·n·k operations over the ranges; each element of A is read n/64 times, of B m/64 times, mostly from
// L2. Where there are too few tiles to fill the device, k is cut into parts whose results are added in float64, in order: the same
// bits at each run. Up to few_parts the last block of a tile adds them, whose wait is shorter than a launch; more are added by a second
// launch, in which the whole device reads them.
//
// A and B are rules of core/piece.h, and a range is
//   Span operator()(batch, i0, j0, shared): k of the tile at (i0, j0); all threads call it.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/epilogue.h"
#include "cuda/core/last_block.h"
#include "cuda/core/piece.h"

namespace flow::cuda {

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

/** Sums over k of the rows of A, made on the way: the gradient of a bias beside that of its weight. */
template <class T>
struct RowSums {
  T* out;            // where k is not cut; else
  double* partials;  // [batch, part][m]
};
struct NoRowSums {};

/** A product as its blocks see it. */
template <class T, class A, class B, class Range, class Out, class Sums>
struct Product {
  using Number = T;
  A a;
  B b;
  Range range;
  Out out;
  Sums sums;
  int64_t m, n, tiles;
  unsigned part_count;
  T* parts;        // null: k is not cut
  unsigned* done;  // a counter a tile of each batch; null: another launch adds the parts
};
/** The work of one block. */
struct TilePlace {
  int64_t tile, batch;
  unsigned part;
};

/** The parts of a tile's rows i … and columns j …, as add_parts adds them. */
template <class T, class P>
__device__ __forceinline__ void add_tile(const P& p, int64_t batch, int64_t i, int64_t j, int live, int rows) {
#pragma unroll 1
  for (int r = 0; r < rows; ++r) {
    double total[4] = {};
#pragma unroll 4
    for (unsigned part = 0; part < p.part_count; ++part) {
      const T* from = p.parts + ((batch * p.part_count + part) * p.m + i + r) * p.n + j;
#pragma unroll
      for (int c = 0; c < 4; ++c) total[c] += c < live ? static_cast<double>(fresh(from + c)) : 0.0;
    }
    T v[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) v[c] = static_cast<T>(total[c]);
    p.out(batch, i + r, j, live, v);
  }
}

template <class T, class A, class B, class Range, class Out, class Sums>
__device__ __forceinline__ void make_tile(const Product<T, A, B, Range, Out, Sums>& p, const TilePlace& place, char* memory) {
  constexpr bool summed = !__is_empty(Sums);
  constexpr int piece = tile_depth * tile_pitch;
  T* const pieces = reinterpret_cast<T*>(memory);  // A, B; A, B
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  const int64_t m = p.m, n = p.n, batch = place.batch;
  const int64_t across = (n + tile_side - 1) / tile_side;
  const int64_t i0 = place.tile / across * tile_side, j0 = place.tile % across * tile_side;

  Span span = p.range(batch, i0, j0, memory);
  if (p.part_count > 1) {
    const int64_t chunks = (span.end - span.begin + tile_depth - 1) / tile_depth;
    const int64_t length = (chunks + p.part_count - 1) / p.part_count * tile_depth;
    span.begin += place.part * length;
    if (span.begin + length < span.end) span.end = span.begin + length;
  }

  T sum[4][4] = {};
  [[maybe_unused]] double row_sum = 0;
  const PieceReader<T, A> read_a(p.a, batch, i0, m);
  const PieceReader<T, B> read_b(p.b, batch, j0, n);
  if (span.begin < span.end) {
    T next_a[4], next_b[4];
    read_a.read(p.a, span.begin, span.end, next_a);
    read_b.read(p.b, span.begin, span.end, next_b);
    int turn = 0;
    for (int64_t k0 = span.begin; k0 < span.end; k0 += tile_depth, turn ^= 1) {
      T* const piece_a = pieces + turn * 2 * piece;
      T* const piece_b = piece_a + piece;
      read_a.write(piece_a, next_a);
      read_b.write(piece_b, next_b);
      // One barrier a turn: the pieces that are written next were last read before it.
      __syncthreads();
      if (k0 + tile_depth < span.end) {
        read_a.read(p.a, k0 + tile_depth, span.end, next_a);
        read_b.read(p.b, k0 + tile_depth, span.end, next_b);
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
      if (p.parts) p.sums.partials[(batch * p.part_count + place.part) * m + i0 + thread] = row_sum;
      else p.sums.out[i0 + thread] = static_cast<T>(row_sum);
    }
  }
  // Each thread's values go through shared memory and back, to be taken by one copy of the epilogue's code, row by row.
  __syncthreads();
  T* const own = pieces + ty * 4 * tile_pitch + tx * 4;
#pragma unroll
  for (int r = 0; r < 4; ++r) store<4>(own + r * tile_pitch, sum[r]);
  const int64_t i = i0 + ty * 4, j = j0 + tx * 4;
  const int live = n - j < 4 ? static_cast<int>(n - j) : 4;  // none or fewer beyond the last column
  const int rows = live <= 0 ? 0 : m - i < 4 ? static_cast<int>(m - i) : 4;
#pragma unroll 1
  for (int r = 0; r < rows; ++r) {
    T v[4];
    load<4>(v, own + r * tile_pitch);
    if (!p.parts) {
      p.out(batch, i + r, j, live, v);
      continue;
    }
    T* to = p.parts + ((batch * p.part_count + place.part) * m + i + r) * n + j;
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (c < live) to[c] = v[c];
  }
  if (!p.done) return;
  __syncthreads();
  if (!is_last_block(p.done + batch * p.tiles + place.tile, p.part_count, memory)) return;
  add_tile<T>(p, batch, i, j, live, rows);
  if constexpr (summed) {
    if (j0 == 0 && thread < tile_side && i0 + thread < m) {
      double total = 0;
      for (unsigned part = 0; part < p.part_count; ++part) total += fresh(p.sums.partials + (batch * p.part_count + part) * m + i0 + thread);
      p.sums.out[i0 + thread] = static_cast<T>(total);
    }
  }
}

/** blockIdx.x: tile, columns first; blockIdx.y: part of k; blockIdx.z: batch. */
template <class P>
__global__ void __launch_bounds__(block_threads, sizeof(typename P::Number) == 4 ? 2 : 1) product_tiles(P p) {
  FLOW_SHARED(memory);
  make_tile(p, {blockIdx.x, blockIdx.z, blockIdx.y}, memory);
}

/** Two products in one launch: the blocks of the first, then those of the second, tile by tile in each part. */
template <class P, class Q>
__global__ void __launch_bounds__(block_threads, sizeof(typename P::Number) == 4 ? 2 : 1) product_pair(P p, Q q) {
  FLOW_SHARED(memory);
  const int64_t first = p.tiles * p.part_count, block = blockIdx.x;
  if (block < first) make_tile(p, {block % p.tiles, 0, static_cast<unsigned>(block / p.tiles)}, memory);
  else make_tile(q, {(block - first) % q.tiles, 0, static_cast<unsigned>((block - first) / q.tiles)}, memory);
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

/** The most parts that the last block of a tile adds: one batch of loads, whose wait is less than a launch. A guess, not measured. */
inline constexpr int64_t few_parts = 4;

/** Into how many parts k is cut: so many that the device is full, if they are long enough to be worth it. */
inline int64_t parts_of(int64_t tiles, int64_t k) {
  const int64_t wanted = ceil_div(2 * int64_t{multiprocessors()}, max_of(1, tiles));
  return max_of(1, min_of(min_of(wanted, k / (8 * tile_depth)), 64));
}

/** What a product does with k, and the memory for it. */
template <class T>
struct ProductPlan {
  int64_t tiles, parts;
  bool at_once = true;  // parts, if any, are added in the launch that makes them
  size_t sum_bytes = 0, bytes = 0;

  explicit ProductPlan(const ProductShape& shape, bool summed = false) {
    tiles = ceil_div(shape.m, tile_side) * ceil_div(shape.n, tile_side);
    parts = parts_of(tiles * shape.batches, shape.k);
    if (parts < 2) return;
    at_once = parts <= few_parts && 2 * tiles * shape.batches <= block_counters;
    if (summed) sum_bytes = static_cast<size_t>(ceil_div(parts * shape.m, 32) * 32) * sizeof(double);
    bytes = (sum_bytes + static_cast<size_t>(shape.batches * parts * shape.m * shape.n) * sizeof(T) + 255) / 256 * 256;
  }
};

/** A product with its plan: what a launch needs. Made by plan_product; `empty` where nothing comes of it. */
template <class P>
struct PlannedProduct {
  P product;
  ProductShape shape;
  ProductPlan<typename P::Number> plan;
  bool empty() const { return shape.m <= 0 || shape.n <= 0 || shape.batches <= 0; }
};

template <class T, class A, class B, class Range, class Out, class Sums = NoRowSums>
PlannedProduct<Product<T, A, B, Range, Out, Sums>> plan_product(const ProductShape& shape, const A& a, const B& b, const Range& range,
                                                               const Out& out, const Sums& sums = {}) {
  const ProductPlan<T> plan(shape, !__is_empty(Sums));
  return {{a, b, range, out, sums, shape.m, shape.n, plan.tiles, static_cast<unsigned>(plan.parts), nullptr, nullptr}, shape, plan};
}

/** Gives a product the memory for its parts (null: that of the workspace) and counters from `counter` on. */
template <class P>
bool place_parts(const Call& call, PlannedProduct<P>& planned, void* memory, int64_t counter = 0) {
  const ProductShape& shape = planned.shape;
  const ProductPlan<typename P::Number>& plan = planned.plan;
  FLOW_CHECK(call, plan.tiles < (int64_t{1} << 31) && shape.batches < 65536,
             "sizes: %lld × %lld × %lld are too many for one launch", ll(shape.batches), ll(shape.m), ll(shape.n));
  if (plan.parts < 2) return true;
  P& p = planned.product;
  char* block = static_cast<char*>(memory ? memory : workspace(plan.bytes));
  if (!block) return call.fail("the GPU has no memory for the parts of a product, %lld bytes", ll(static_cast<int64_t>(plan.bytes)));
  if constexpr (requires { p.sums.partials; }) p.sums.partials = reinterpret_cast<double*>(block);
  p.parts = reinterpret_cast<typename P::Number*>(block + plan.sum_bytes);
  p.done = plan.at_once ? counters() + counter : nullptr;
  return true;
}

/** The parts that the launch before left to this one. */
template <class T, class A, class B, class Range, class Out, class Sums>
void add_later(const PlannedProduct<Product<T, A, B, Range, Out, Sums>>& planned) {
  constexpr bool summed = !__is_empty(Sums);
  if (planned.plan.at_once) return;
  const ProductShape& shape = planned.shape;
  FLOW_LAUNCH((add_parts<T, Out, Sums>), blocks_for(shape.batches * shape.m * ceil_div(shape.n, 4) + (summed ? shape.m : 0)),
              block_threads, 0, planned.product.out, planned.product.sums, shape.m, shape.n, shape.batches, planned.plan.parts,
              static_cast<const T*>(planned.product.parts));
}

/** C = A·B over the ranges, given to `out`. `memory`: as many bytes as the plan says; null: the workspace of the call. */
template <class P>
bool run_product(const Call& call, PlannedProduct<P> planned, void* memory = nullptr) {
  if (planned.empty()) return true;
  if (!place_parts(call, planned, memory)) return false;
  FLOW_LAUNCH((product_tiles<P>),
              dim3(static_cast<unsigned>(planned.plan.tiles), static_cast<unsigned>(planned.plan.parts),
                   static_cast<unsigned>(planned.shape.batches)),
              block_threads, product_bytes<typename P::Number>, planned.product);
  add_later(planned);
  return launched(call);
}

/** Two of one batch each that do not need each other, in one launch where it can be. `memory` has the bytes of both, the first's first. */
template <class P, class Q>
bool run_pair(const Call& call, PlannedProduct<P> first, PlannedProduct<Q> second, void* memory) {
  const int64_t blocks = first.plan.tiles * first.plan.parts + second.plan.tiles * second.plan.parts;
  void* rest = static_cast<char*>(memory) + first.plan.bytes;
  if (first.empty() || second.empty() || blocks > INT32_MAX) return run_product(call, first, memory) && run_product(call, second, rest);
  if (!place_parts(call, first, memory) || !place_parts(call, second, rest, first.plan.parts > 1 ? first.plan.tiles : 0)) return false;
  FLOW_LAUNCH((product_pair<P, Q>), static_cast<unsigned>(blocks), block_threads, product_bytes<typename P::Number>, first.product,
              second.product);
  add_later(first);
  add_later(second);
  return launched(call);
}

template <class T, class A, class B, class Range, class Out, class Sums = NoRowSums>
bool product(const Call& call, const ProductShape& shape, const A& a, const B& b, const Range& range, const Out& out,
             const Sums& sums = {}, void* memory = nullptr) {
  return run_product(call, plan_product<T>(shape, a, b, range, out, sums), memory);
}

}  // namespace flow::cuda
