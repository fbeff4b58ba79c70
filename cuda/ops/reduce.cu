// reduce: sum, mean, max or logsumexp of a matrix by rows, by columns or whole. Attributes: kind, axis, factor of the
// result.
//   axis 0: over the rows (out: cols values) · 1: over the columns (out: rows values) · 2: over all (out: one value)
// Sums are taken in float64. max is NaN where an element is. The max and logsumexp of nothing is −inf, the mean NaN.
//
// Floor: x once. The matrix is cut into pieces that a block folds; where an output has several pieces, a second launch folds these. Over
// columns a warp takes a row; over rows a thread takes a column, so that neighbours read neighbours.
#include "cuda/core/block.h"
#include "cuda/core/check.h"
#include "cuda/core/context.h"
#include "cuda/core/launch.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

// Mirrored by lib/ops/reduce.ts.
enum class Kind : int { sum, mean, max, logsumexp };

/** Where results go, with their factor. */
template <class To>
struct Scaled {
  To* p;
  double factor;
  __device__ __forceinline__ void put(int64_t i, double value) const { p[i] = static_cast<To>(factor * value); }
};

/** What is known of some elements: their sum, or their maximum and Σ exp(x − maximum). */
struct Partial {
  double first;
  double exponentials;
};

template <Kind kind>
__device__ Partial nothing() {
  return {kind == Kind::sum || kind == Kind::mean ? 0.0 : -INFINITY, 0.0};
}

/** Σ exp(x − shift) of elements whose maximum is known; a maximum that is infinite or NaN is the result itself. */
__device__ __forceinline__ bool finite(double x) { return x - x == 0; }

template <Kind kind>
__device__ Partial merged(Partial a, Partial b) {
  if constexpr (kind == Kind::sum || kind == Kind::mean) return {a.first + b.first, 0};
  const double most = MaxNan{}(a.first, b.first);
  if constexpr (kind == Kind::max) return {most, 0};
  if (!finite(most)) return {most, 0};
  const double left = a.first == -INFINITY ? 0 : a.exponentials * exp(a.first - most);
  const double right = b.first == -INFINITY ? 0 : b.exponentials * exp(b.first - most);
  return {most, left + right};
}

template <Kind kind>
__device__ double finished(Partial all, double elements) {
  if constexpr (kind == Kind::mean) return all.first / elements;
  if constexpr (kind == Kind::logsumexp) return finite(all.first) ? all.first + log(all.exponentials) : all.first;
  return all.first;
}

/** The elements x[i·step], i = from, from + stride, … < to, of one thread, folded with those of its group. */
template <Kind kind, class T, class Fold>
__device__ Partial fold_elements(const T* x, int64_t from, int64_t to, int64_t stride, int64_t step, const Fold& fold) {
  if constexpr (kind == Kind::sum || kind == Kind::mean) {
    double sum = 0;
    for (int64_t i = from; i < to; i += stride) sum += static_cast<double>(x[i * step]);
    return {fold(sum, Sum{}), 0};
  }
  T most = static_cast<T>(-INFINITY);
  for (int64_t i = from; i < to; i += stride) most = MaxNan{}(most, x[i * step]);
  const double all = fold(static_cast<double>(most), MaxNan{});
  if (kind == Kind::max || !finite(all)) return {all, 0};
  double sum = 0;
  for (int64_t i = from; i < to; i += stride) sum += static_cast<double>(exp(x[i * step] - static_cast<T>(all)));
  return {all, fold(sum, Sum{})};
}

/** A block a piece of `length` elements of a row; gridDim.x rows, gridDim.y pieces. */
template <Kind kind, class To, class T>
__global__ void __launch_bounds__(block_threads) fold_rows(const T* x, int64_t ld, int64_t cols, int64_t length, Scaled<To> out,
                                                           Partial* partials) {
  FLOW_SHARED(memory);
  double* shared = reinterpret_cast<double*>(memory);
  const int64_t row = blockIdx.x, piece = blockIdx.y;
  const int64_t end = (piece + 1) * length < cols ? (piece + 1) * length : cols;
  const Partial all = fold_elements<kind>(x + row * ld, piece * length + threadIdx.x, end, block_threads, 1,
                                          [&](double v, auto f) { return block_fold(v, f, shared); });
  if (threadIdx.x != 0) return;
  if (partials) partials[row * gridDim.y + piece] = all;
  else out.put(row, finished<kind>(all, static_cast<double>(cols)));
}

/** A warp a row. */
template <Kind kind, class To, class T>
__global__ void __launch_bounds__(block_threads) fold_short_rows(const T* x, int64_t ld, int64_t rows, int64_t cols,
                                                                 Scaled<To> out) {
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x) / warp_threads;
  if (row >= rows) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  const Partial all = fold_elements<kind>(x + row * ld, lane, cols, warp_threads, 1,
                                          [](double v, auto f) { return warp_fold(v, f); });
  if (lane == 0) out.put(row, finished<kind>(all, static_cast<double>(cols)));
}

/** A thread a column and piece of `length` rows. */
template <Kind kind, class To, class T>
__global__ void __launch_bounds__(block_threads) fold_columns(const T* x, int64_t ld, int64_t rows, int64_t cols,
                                                              int64_t length, Scaled<To> out, Partial* partials) {
  const int64_t col = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x, piece = blockIdx.y;
  if (col >= cols) return;
  const int64_t end = (piece + 1) * length < rows ? (piece + 1) * length : rows;
  const Partial all =
      fold_elements<kind>(x + col, piece * length, end, 1, ld, [](double v, auto) { return v; });
  if (partials) partials[col * gridDim.y + piece] = all;
  else out.put(col, finished<kind>(all, static_cast<double>(rows)));
}

/** A thread an output: its pieces in order. */
template <Kind kind, class To>
__global__ void __launch_bounds__(block_threads) fold_pieces(const Partial* partials, int64_t outputs, int64_t pieces,
                                                             double elements, Scaled<To> out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  if (i >= outputs) return;
  Partial all = nothing<kind>();
  for (int64_t k = 0; k < pieces; ++k) all = merged<kind>(all, partials[i * pieces + k]);
  out.put(i, finished<kind>(all, elements));
}

unsigned blocks_of(int64_t items) { return static_cast<unsigned>(max_of(1, ceil_div(items, block_threads))); }

/** One block, all pieces: the threads take them in turn. */
template <Kind kind, class To>
__global__ void __launch_bounds__(block_threads) fold_all(const Partial* partials, int64_t pieces, double elements, Scaled<To> out) {
  FLOW_SHARED(memory);
  double* shared = reinterpret_cast<double*>(memory);
  Partial own = nothing<kind>();
  for (int64_t k = threadIdx.x; k < pieces; k += block_threads) own = merged<kind>(own, partials[k]);
  constexpr bool adds = kind == Kind::sum || kind == Kind::mean;
  Partial all{0, 0};
  if constexpr (adds) all.first = block_fold(own.first, Sum{}, shared);
  else all.first = block_fold(own.first, MaxNan{}, shared);
  if (kind == Kind::logsumexp && finite(all.first))
    all.exponentials = block_fold(own.first == -INFINITY ? 0.0 : own.exponentials * exp(own.first - all.first), Sum{}, shared);
  if (threadIdx.x == 0) out.put(0, finished<kind>(all, elements));
}

template <Kind kind, class To, class T>
bool run_kind(const Call& call, const Operand& x, const Scaled<To>& out, int64_t axis) {
  const bool whole = axis == 2 && x.contiguous();
  // Over all of a matrix with gaps: rows first, then their results.
  const int64_t rows = whole ? 1 : x.rows, cols = whole ? x.count() : x.cols;
  const int64_t outputs = axis == 0 ? cols : rows, folded = axis == 0 ? rows : cols;
  const int64_t enough = 4 * int64_t{multiprocessors()};
  const int64_t busy = axis == 0 ? ceil_div(outputs, block_threads) : outputs;
  const int64_t least = axis == 0 ? 64 : 8 * block_threads;  // elements worth a piece
  const int64_t pieces = max_of(1, min_of(ceil_div(folded, least), ceil_div(enough, max_of(1, busy))));
  const int64_t length = ceil_div(max_of(1, folded), pieces);
  const bool two_steps = pieces > 1 || (axis == 2 && rows > 1);
  Partial* partials = nullptr;
  if (two_steps) {
    partials = static_cast<Partial*>(workspace(static_cast<size_t>(outputs * pieces) * sizeof(Partial)));
    if (!partials) return call.fail("the GPU has no memory for the sums of %lld pieces", ll(outputs * pieces));
  }
  const T* p = x.as<const T>();
  if (outputs > 0) {
    if (axis == 0) {
      FLOW_LAUNCH((fold_columns<kind, To, T>), dim3(blocks_of(outputs), static_cast<unsigned>(pieces)), block_threads, 0,
                  p, x.ld, rows, cols, length, out, partials);
    } else if (!two_steps && cols <= 4 * warp_threads) {
      FLOW_LAUNCH((fold_short_rows<kind, To, T>), blocks_of(rows * warp_threads), block_threads, 0, p, x.ld, rows, cols,
                  out);
    } else {
      FLOW_LAUNCH((fold_rows<kind, To, T>), dim3(static_cast<unsigned>(rows), static_cast<unsigned>(pieces)), block_threads,
                  fold_bytes<double>(block_threads), p, x.ld, cols, length, out, partials);
    }
  }
  if (two_steps || (axis == 2 && rows == 0)) {
    const double elements = static_cast<double>(axis == 2 ? x.count() : folded);
    const Partial* given = partials;
    if (axis == 2)
      FLOW_LAUNCH((fold_all<kind, To>), 1, block_threads, fold_bytes<double>(block_threads), given, outputs * pieces, elements, out);
    else
      FLOW_LAUNCH((fold_pieces<kind, To>), blocks_of(outputs), block_threads, 0, given, outputs, pieces, elements, out);
  }
  return launched(call);
}

bool reduce(const Call& call) {
  const Operand &x = call.in[0], &out = call.out[0];
  FLOW_CHECK(call, call.attr[0] >= 0 && call.attr[0] <= 3, "kind: expected 0 to 3, got %g", call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 0 && call.attr[1] <= 2, "axis: expected 0, 1 or 2, got %g", call.attr[1]);
  const int64_t axis = call.int_attr(1);
  const int64_t wanted = axis == 0 ? x.cols : axis == 1 ? x.rows : 1;
  FLOW_CHECK(call, out.count() == wanted && out.contiguous(), "output: expected %lld values side by side, got %lld × %lld",
             ll(wanted), ll(out.rows), ll(out.cols));
  return with_float(call, x, "x", [&](auto from) {
    return with_float(call, out, "output", [&](auto to) {
      using T = decltype(from);
      using To = decltype(to);
      const Scaled<To> target{out.as<To>(), call.attr[2]};
      switch (static_cast<Kind>(call.int_attr(0))) {
        case Kind::sum: return run_kind<Kind::sum, To, T>(call, x, target, axis);
        case Kind::mean: return run_kind<Kind::mean, To, T>(call, x, target, axis);
        case Kind::max: return run_kind<Kind::max, To, T>(call, x, target, axis);
        case Kind::logsumexp: return run_kind<Kind::logsumexp, To, T>(call, x, target, axis);
      }
      return false;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(reduce) = {"reduce", reduce, 1, 1, 1, 3};

}  // namespace flow::cuda
