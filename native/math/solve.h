// Roots of increasing functions of one number, a register of them side by side: Newton's method inside of a bracket that shrinks
// from both sides, halved where Newton leaves it or is slow. So it converges for every increasing function and is
// quadratic near the root of a smooth one.
//
// V is a register of lanes, float or double; the includer brings exp, abs, max, select and any for it (simd/math.h on a CPU).
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

// A function at a point.
template <class V>
struct Value {
  V y;
  V log_slope;  // log dy/dx
  V size;       // of the terms that y is made of: y is rounded to this size
};

template <class V>
struct Root {
  V x;           // the last point where the function was computed
  V log_slope;   // there
  V residual;    // |f(x) − y| there, relative to 1 + |y| + |x|·f′(x) + the size of the terms; NaN where y or the function is
  V iterations;  // evaluations
};

// Of the type: where a root counts as found, in units of the residual. What the last bits of x and of f allow is some ten eps.
template <class T>
inline constexpr T solved_to = T(sizeof(T) == 4 ? 64 * 0x1p-23 : 64 * 0x1p-52);
template <class T>
inline constexpr T best_residual = T(sizeof(T) == 4 ? 0x1p-23 : 0x1p-52);
// Halving alone, with a Newton step between two of them, takes twice the bits of a number (exponents included).
inline constexpr int most_iterations = 400;

// x with f(x) = y for an increasing f, low ≤ x ≤ high; `start` is the first guess. value(x) gives Value<V>.
// A lane that has its root stands still: what it gets does not depend on its neighbours.
template <class T, class V, class F>
FLOW_FORMULA Root<V> solve_increasing(V y, V low, V high, V start, const F& value) {
  Root<V> root;
  V x = min(high, max(low, start));
  V step_before = high - low;
  root.x = x;
  root.log_slope = V(T(0));
  root.residual = y - y;  // NaN where y is
  root.iterations = V(T(0));
  auto open = low <= high;
  for (int i = 0; i < most_iterations && any(open); ++i) {
    const Value<V> at = value(x);
    const V slope = exp(at.log_slope);
    const V r = at.y - y;
    const V residual = abs(r) / (V(T(1)) + abs(y) + abs(x) * slope + at.size);
    root.x = select(open, x, root.x);
    root.log_slope = select(open, at.log_slope, root.log_slope);
    root.residual = select(open, residual, root.residual);
    root.iterations = select(open, root.iterations + V(T(1)), root.iterations);
    low = select(r <= V(T(0)), x, low);
    high = select(r >= V(T(0)), x, high);
    const V step = -r / slope;
    const V newton = x + step;
    const V middle = low + (high - low) * V(T(0.5));
    const auto good = (newton > low) & (newton < high) & (abs(step) + abs(step) <= abs(step_before));
    const V next = select(good, newton, middle);
    step_before = next - x;
    // A NaN ends it: no comparison with it is true.
    open = open & (residual > V(best_residual<T>)) & (next != x) & (next >= low) & (next <= high);
    x = next;
  }
  return root;
}

}  // namespace flow::FLOW_ISA
