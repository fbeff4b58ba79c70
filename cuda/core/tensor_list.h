// Ops on all tensors of a model in one launch: K operands walked along together, tensor by tensor.
//
// The operands stand in a table in the kernel's arguments, at most 4 KB (so that a captured launch holds its own), and as many launches
// as there are tables: one for some fifty tensors. Elements are cut into chunks by the sizes only, a block a chunk; a thread moves 16
// bytes at a time where all K operands are aligned.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/last_block.h"
#include "cuda/core/pack.h"
#include "ops/tensor_list_operands.h"

namespace flow::cuda {

inline constexpr int64_t chunk_elements = 4096;

template <int K>
struct ListedTensor {
  char* p[K];
  const int32_t* extents;  // or null: of row r only the first extents[r] columns count
  int64_t cols;
  int32_t ld[K];
  int32_t rows, chunk_rows;  // rows 1: a tensor without gaps is one long row, cut at chunk_elements
  int32_t first;             // chunk of the table
  int16_t position;          // in the list
  bool is_double, wide;
};

template <int K>
struct TensorTable {
  static constexpr int most = (4000 - 16) / static_cast<int>(sizeof(ListedTensor<K>));
  ListedTensor<K> tensor[most];
  int count;
  int64_t chunks_before;  // of tables before this one
};

/** The tensor of a chunk: the last that starts at or before it. */
template <int K>
__device__ __forceinline__ int tensor_of(const TensorTable<K>& table, int chunk) {
  int low = 0, high = table.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table.tensor[middle].first <= chunk) low = middle;
    else high = middle;
  }
  return low;
}

/** Calls f(pointers to K runs, elements) for the runs of this block's chunk, all its threads together. */
template <class T, int K, class F>
__device__ __forceinline__ void for_runs(const TensorTable<K>& table, int index, int chunk, const F& f) {
  const int64_t cols = table.tensor[index].cols;
  const int own = chunk - table.tensor[index].first;
  T* p[K];
  if (table.tensor[index].rows == 1) {
    const int64_t from = own * chunk_elements;
#pragma unroll
    for (int k = 0; k < K; ++k) p[k] = reinterpret_cast<T*>(table.tensor[index].p[k]) + from;
    int64_t count = cols - from < chunk_elements ? cols - from : chunk_elements;
    if (table.tensor[index].extents) {
      const int64_t left = table.tensor[index].extents[0] - from;
      count = left < count ? left : count;
    }
    f(p, count);
    return;
  }
  const int64_t rows = table.tensor[index].rows, height = table.tensor[index].chunk_rows;
  const int64_t end = (own + 1) * height < rows ? (own + 1) * height : rows;
  for (int64_t r = own * height; r < end; ++r) {
#pragma unroll
    for (int k = 0; k < K; ++k) p[k] = reinterpret_cast<T*>(table.tensor[index].p[k]) + r * table.tensor[index].ld[k];
    int64_t count = cols;
    if (table.tensor[index].extents) count = table.tensor[index].extents[r] < count ? table.tensor[index].extents[r] : count;
    f(p, count);
  }
}

/** f(known, v) on W elements of each operand at once; the operands whose bit is in F::stored are written back. */
template <int W, class T, int K, class F, class Known>
__device__ __forceinline__ void update_units(T* const (&p)[K], int64_t from, int64_t units, const F& f, const Known& known) {
  for (int64_t i = threadIdx.x; i < units; i += block_threads) {
    T v[K][W];
#pragma unroll
    for (int k = 0; k < K; ++k) load<W>(v[k], static_cast<const T*>(p[k]) + from + i * W);
    f(known, v);
#pragma unroll
    for (int k = 0; k < K; ++k)
      if ((F::stored >> k) & 1) store<W>(p[k] + from + i * W, v[k]);
  }
}

template <class T, int K, class F>
__device__ __forceinline__ void update_chunk(const TensorTable<K>& table, int index, const F& f, const double* numbers) {
  constexpr int W = Width<T>::most;
  const auto known = f.template known<T>(numbers);
  const bool wide = table.tensor[index].wide;
  for_runs<T>(table, index, static_cast<int>(blockIdx.x), [&](T* const (&p)[K], int64_t count) {
    const int64_t packs = wide && count > 0 ? count / W : 0;
    update_units<W>(p, 0, packs, f, known);
    update_units<1>(p, packs * W, count - packs * W, f, known);
  });
}

/**
 * f.number(i), i < F::numbers ≤ 32: what all threads need, made once a block; f.known<T>(numbers) → what a thread makes of them;
 * f(known, v): K × W elements in registers. f may have f.skips(), the same for all: nothing is done then; and f.finish(), which one thread
 * calls when all blocks of all `chunks` have done with the numbers.
 */
template <int K, class F>
__global__ void __launch_bounds__(block_threads) update_list(const TensorTable<K> table, F f, int64_t chunks, unsigned* done) {
  FLOW_SHARED(memory);
  if constexpr (requires { f.skips(); })
    if (f.skips()) return;
  double* numbers = reinterpret_cast<double*>(memory);
  if (threadIdx.x < F::numbers) numbers[threadIdx.x] = f.number(static_cast<int>(threadIdx.x));
  __syncthreads();
  const int index = tensor_of(table, static_cast<int>(blockIdx.x));
  if (table.tensor[index].is_double) update_chunk<double>(table, index, f, numbers);
  else update_chunk<float>(table, index, f, numbers);
  if constexpr (requires { f.finish(); }) {
    static_assert(F::numbers * sizeof(double) >= last_block_bytes);
    if (is_last_block(done, static_cast<unsigned>(chunks), memory) && threadIdx.x == 0) f.finish();
  }
}
/** f.finish() where there is nothing to update. */
template <class F>
__global__ void finish_alone(F f) {
  if (threadIdx.x == 0 && !f.skips()) f.finish();
}

/** The parts of chunks, in their order, by one block. */
template <class F>
__device__ __forceinline__ void fold_parts(const F& f, const double* partials, int64_t chunks, char* memory) {
  const typename F::Fold fold{};
  double total = F::zero();
  for (int64_t i = threadIdx.x; i < chunks; i += block_threads) total = fold(total, fresh(partials + i));
  total = block_fold(total, fold, reinterpret_cast<double*>(memory));
  if (threadIdx.x == 0) f.put(total);
}

/** The term of each element, folded by F::Fold from F::zero(): a number a chunk, and the last block folds those of all `chunks`. */
template <class F>
__global__ void __launch_bounds__(block_threads)
    fold_list(const TensorTable<1> table, F f, double* partials, int64_t chunks, unsigned* done) {
  FLOW_SHARED(memory);
  const typename F::Fold fold{};
  const int index = tensor_of(table, static_cast<int>(blockIdx.x)), position = table.tensor[index].position;
  double total = F::zero();
  const auto add = [&](auto zero) {
    using T = decltype(zero);
    constexpr int W = Width<T>::most;
    const bool wide = table.tensor[index].wide;
    for_runs<T>(table, index, static_cast<int>(blockIdx.x), [&](T* const (&p)[1], int64_t count) {
      const int64_t packs = wide ? count / W : 0;
      for (int64_t i = threadIdx.x; i < packs; i += block_threads) {
        T v[W];
        load<W>(v, static_cast<const T*>(p[0]) + i * W);
#pragma unroll
        for (int k = 0; k < W; ++k) total = fold(total, f.term(static_cast<double>(v[k]), position));
      }
      for (int64_t i = packs * W + threadIdx.x; i < count; i += block_threads)
        total = fold(total, f.term(static_cast<double>(p[0][i]), position));
    });
  };
  if (table.tensor[index].is_double) add(double{});
  else add(float{});
  total = block_fold(total, fold, reinterpret_cast<double*>(memory));
  if (threadIdx.x == 0) partials[table.chunks_before + blockIdx.x] = total;
  if (is_last_block(done, static_cast<unsigned>(chunks), memory)) fold_parts(f, partials, chunks, memory);
}

/** Of no tensors. */
template <class F>
__global__ void fold_nothing(F f) {
  if (threadIdx.x == 0) f.put(F::zero());
}

/** Walks along K lists of n operands of equal shapes and calls launch(table, chunks) for each full table. */
template <int K, class F>
bool for_tables(const Call& call, const Operand* const (&lists)[K], const Operand* extents, int n, const F& launch) {
  TensorTable<K> table;
  static_assert(sizeof table <= 4000);
  table.count = 0;
  table.chunks_before = 0;
  int64_t chunks = 0;
  const auto flush = [&] {
    if (table.count == 0) return true;
    if (!launch(table, static_cast<unsigned>(chunks))) return false;
    table.chunks_before += chunks;
    table.count = 0;
    chunks = 0;
    return true;
  };
  for (int i = 0; i < n; ++i) {
    const Operand& like = lists[0][i];
    bool absent = like.count() == 0, flat = true;
    for (const Operand* list : lists) {
      absent = absent || list[i].absent();
      flat = flat && list[i].contiguous();
    }
    if (absent) continue;
    const bool partly = extents && !extents[i].absent();
    flat = flat && (!partly || like.rows == 1);
    const int64_t rows = flat ? 1 : like.rows, cols = flat ? like.count() : like.cols;
    const int64_t height = max_of(1, chunk_elements / cols);
    const int64_t own = rows == 1 ? ceil_div(cols, chunk_elements) : ceil_div(rows, height);
    if (table.count == TensorTable<K>::most || chunks + own > INT32_MAX)
      if (!flush()) return false;
    FLOW_CHECK(call, rows <= INT32_MAX && own <= INT32_MAX, "tensor %d: %lld × %lld is too large", i, ll(like.rows), ll(like.cols));
    ListedTensor<K>& entry = table.tensor[table.count++];
    entry.wide = true;
    for (int k = 0; k < K; ++k) {
      const Operand& operand = lists[k][i];
      FLOW_CHECK(call, rows == 1 || operand.ld <= INT32_MAX, "tensor %d: rows of %lld numbers are too long", i, ll(operand.ld));
      entry.p[k] = operand.as<char>();
      entry.ld[k] = rows == 1 ? 0 : static_cast<int32_t>(operand.ld);
      const int64_t row_bytes = rows == 1 ? 0 : operand.ld * static_cast<int64_t>(size_of(operand.dtype));
      entry.wide = entry.wide && reinterpret_cast<uintptr_t>(operand.data) % 16 == 0 && row_bytes % 16 == 0;
    }
    entry.extents = partly ? extents[i].as<const int32_t>() : nullptr;
    entry.cols = cols;
    entry.rows = static_cast<int32_t>(rows);
    entry.chunk_rows = static_cast<int32_t>(height);
    entry.first = static_cast<int32_t>(chunks);
    entry.position = static_cast<int16_t>(i);
    entry.is_double = like.dtype == DType::f64;
    chunks += own;
  }
  return flush();
}

/** How many chunks the lists have. False after a failure. */
template <int K>
bool count_chunks(const Call& call, const Operand* const (&lists)[K], const Operand* extents, int n, int64_t& chunks) {
  chunks = 0;
  return for_tables<K>(call, lists, extents, n, [&](const TensorTable<K>&, unsigned more) {
    chunks += more;
    return true;
  });
}

template <int K, class F>
bool update_tensors(const Call& call, const Operand* const (&lists)[K], const Operand* extents, int n, const F& f) {
  int64_t chunks = 0;
  if constexpr (requires { f.finish(); }) {
    if (!count_chunks<K>(call, lists, extents, n, chunks)) return false;
    FLOW_CHECK(call, chunks <= INT32_MAX, "tensors: %lld chunks are too many", ll(chunks));
    if (chunks == 0) {
      FLOW_LAUNCH((finish_alone<F>), 1, warp_threads, 0, f);
      return launched(call);
    }
  }
  return for_tables<K>(call, lists, extents, n, [&](const TensorTable<K>& table, unsigned own) {
    FLOW_LAUNCH((update_list<K, F>), own, block_threads, F::numbers * sizeof(double), table, f, chunks, counters());
    return launched(call);
  });
}

/** All terms folded, in a fixed order, to f.put(total). */
template <class F>
bool fold_tensors(const Call& call, const Operand* list, int n, const F& f) {
  const Operand* const lists[1] = {list};
  int64_t chunks = 0;
  if (!count_chunks<1>(call, lists, nullptr, n, chunks)) return false;
  if (chunks == 0) {
    FLOW_LAUNCH((fold_nothing<F>), 1, warp_threads, 0, f);
    return launched(call);
  }
  FLOW_CHECK(call, chunks <= INT32_MAX, "tensors: %lld chunks are too many", ll(chunks));
  static_assert(fold_bytes<double>(block_threads) >= last_block_bytes);
  double* partials = static_cast<double*>(workspace(static_cast<size_t>(chunks) * sizeof(double)));
  if (!partials) return call.fail("the GPU has no memory for the sums of %lld chunks", ll(chunks));
  return for_tables<1>(call, lists, nullptr, n, [&](const TensorTable<1>& table, unsigned own) {
    FLOW_LAUNCH((fold_list<F>), own, block_threads, fold_bytes<double>(block_threads), table, f, partials, chunks, counters());
    return launched(call);
  });
}

/** Whether nothing is to be changed. */
struct Skip {
  const int32_t* flag;  // or null
  __device__ __forceinline__ bool operator()() const { return flag && *flag >= 0; }
};
}  // namespace flow::cuda
