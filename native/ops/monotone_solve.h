// The inverse of an increasing function with its parameters, and the report of a sample's roots.
#pragma once
#include "ops/monotone.h"

namespace flow::FLOW_ISA {

template <class Family, class V>
FLOW_NOINLINE Root<V> solve_monotone(const Family& family, Rows<V> raw, Rows<V> work, V y) {
  family.prepare(raw, work);
  V low, high, start;
  family.bracket(raw, work, y, low, high, start);
  return solve_increasing<lane_t<V>>(y, low, high, start, [&](V x) FLOW_INLINE_LAMBDA { return family.value(raw, work, x); });
}

// iterations, residual, converged of each sample.
struct SolveOutputs {
  VectorView<int32_t> iterations;
  VectorView<double> residual;
  VectorView<int32_t> converged;

  FLOW_INLINE void start(int64_t n) const {
    iterations[n] = 0;
    residual[n] = 0;
    converged[n] = 1;
  }
  template <class T>
  FLOW_INLINE void add(int64_t n, T its, T left) const {
    if (static_cast<int32_t>(its) > iterations[n]) iterations[n] = static_cast<int32_t>(its);
    if (!(left <= solved_to<T>)) converged[n] = 0;
    // A NaN stays.
    if (!(residual[n] >= static_cast<double>(left)) && residual[n] == residual[n]) residual[n] = static_cast<double>(left);
  }
};

// Outputs first, first + 1, first + 2.
inline bool read_report(const Call& call, int first, int64_t rows, SolveOutputs& report) {
  if (!check_report(call, first, rows)) return false;
  report = {vector_view<int32_t>(call.out[first]), vector_view<double>(call.out[first + 1]),
            vector_view<int32_t>(call.out[first + 2])};
  return true;
}

}  // namespace flow::FLOW_ISA
