// What spline and its gradient share: attributes and parameters.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "cuda/core/thread_rows.h"
// The formulas come after the functions that they call.
#include "math/spline.h"

namespace flow::cuda {

template <SplineKind kind>
struct SplineTag {
  static constexpr SplineKind value = kind;
};

/** Attributes, from `at` on: kind, tails, bins, left, right, least width, height and slope. Calls body(SplineTag<kind>{}, shape). */
template <class F>
bool with_spline(const Call& call, const F& body, int at = 0) {
  const double* a = call.attr + at;
  FLOW_CHECK(call, a[1] >= 0 && a[1] <= 2, "tails: expected a code from 0 to 2, got %g", a[1]);
  FLOW_CHECK(call, a[2] >= 1 && a[2] <= 1024, "bins: expected 1 to 1024, got %g", a[2]);
  FLOW_CHECK(call, a[3] < a[4], "box: expected left below right, got %g and %g", a[3], a[4]);
  for (int k = 5; k < 7; ++k)
    FLOW_CHECK(call, a[k] >= 0 && a[k] * a[2] < 1, "least width and height: expected less than 1/bins, got %g", a[k]);
  FLOW_CHECK(call, a[7] > 0 && a[7] < 1, "least slope: expected a number in (0, 1), got %g", a[7]);
  const double eps = call.in[0].dtype == DType::f32 ? 1.1920929e-07 : 2.220446049250313e-16;
  const int64_t bins = call.int_attr(at + 2);
  const double least = spline_least(bins, eps);
  const SplineShape shape{static_cast<SplineTails>(call.int_attr(at + 1)), bins, a[3], a[4], a[5] > least ? a[5] : least,
                          a[6] > least ? a[6] : least, a[7], log(expm1(1.0 - a[7])), eps};
  if (a[0] == 0) return body(SplineTag<SplineKind::rational_quadratic>{}, shape);
  if (a[0] == 1) return body(SplineTag<SplineKind::quadratic>{}, shape);
  if (a[0] == 2) return body(SplineTag<SplineKind::linear>{}, shape);
  if (a[0] == 3) return body(SplineTag<SplineKind::cubic>{}, shape);
  return call.fail("kind: expected a code from 0 to 3, got %g", a[0]);
}

inline bool check_spline_params(const Call& call, const Operand& params, const Operand& x, int64_t count) {
  FLOW_CHECK(call, params.dtype == x.dtype, "params: expected %s, got %s", name_of(x.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count * x.cols && (params.rows == x.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", ll(x.rows), ll(count * x.cols), ll(params.rows),
             ll(params.cols));
  return true;
}

/** Blocks for the elements: no more than have their knots in 32 MiB. */
template <class T>
unsigned spline_blocks(int64_t elements, int64_t bins) {
  constexpr int64_t most_bytes = int64_t{32} << 20;
  const int64_t block_bytes = spline_arrays * (bins + 1) * block_threads * int64_t{sizeof(T)};
  return static_cast<unsigned>(max_of(1, min_of(blocks_for(max_of(1, elements)), most_bytes / block_bytes)));
}

/** An array of this thread, side by side with those of others: one pointer for all of them, and short numbers for the rest. */
template <class T>
struct KnotRows {
  T* memory;  // 32 MiB at most
  int first, step;
  __device__ __forceinline__ T get(int64_t i) const { return memory[first + static_cast<int>(i) * step]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { memory[first + static_cast<int>(i) * step] = x; }
};

/** The arrays of this thread. */
template <class T>
__device__ __forceinline__ SplineRows<KnotRows<T>> spline_rows(T* memory, int64_t bins) {
  const int step = static_cast<int>(thread_count()), thread = static_cast<int>(thread_index()), size = static_cast<int>(bins + 1) * step;
  const auto part = [&](int k) { return KnotRows<T>{memory, thread + k * size, step}; };
  return {part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7), part(8), part(9)};
}

}  // namespace flow::cuda
