// What sylvester and its gradient share: parameters and rows of a tile of samples, side by side in registers.
#pragma once
#include "ops/incremental.h"
#include "ops/log_det.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/sylvester.h"

namespace flow::FLOW_ISA {

// Rows of one register of samples.
template <class T>
struct LaneRows {
  T* p;
  FLOW_INLINE Vec<T> get(int64_t i) const { return load<Vec<T>>(p + i * Vec<T>::width); }
  FLOW_INLINE void set(int64_t i, Vec<T> x) const { store(p + i * Vec<T>::width, x); }
};
// Parameters that all samples share.
template <class T>
struct SharedNumbers {
  const T* p;
  FLOW_INLINE Vec<T> get(int64_t i) const { return Vec<T>(p[i]); }
};

// The log-determinants of one register of samples, in float64.
template <class T>
struct LaneSum {
  double sum[Vec<T>::width] = {};
  FLOW_INLINE void operator()(Vec<float> a) {
    Vec<double> low, high;
    widen(a, low, high);
    constexpr int w = Vec<double>::width;
    store(sum, load<Vec<double>>(sum) + low);
    store(sum + w, load<Vec<double>>(sum + w) + high);
  }
  FLOW_INLINE void operator()(Vec<double> a) { store(sum, load<Vec<double>>(sum) + a); }
};

// Rows [first, first + live) of an operand as [cols][width], zeros in the lanes beyond; `last` repeats the first sample there.
template <class T>
FLOW_INLINE void gather_lanes(const Operand& from, int64_t first, int64_t live, T* to) {
  transpose_block(from.as<T>() + first * from.ld, from.ld, live, from.cols, to, Vec<T>::width, Vec<T>::width);
}
template <class T>
FLOW_INLINE void scatter_lanes(const T* from, const Operand& to, int64_t first, int64_t live) {
  transpose_block(from, Vec<T>::width, to.cols, live, to.as<T>() + first * to.ld, to.ld, to.cols);
}

inline bool check_sylvester_params(const Call& call, const Operand& params, const Operand& v) {
  const int64_t count = SylvesterLayout{v.cols}.count();
  FLOW_CHECK(call, params.dtype == v.dtype, "params: expected %s, got %s", name_of(v.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count && (params.rows == v.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", static_cast<long long>(v.rows),
             static_cast<long long>(count), static_cast<long long>(params.rows), static_cast<long long>(params.cols));
  return true;
}

}  // namespace flow::FLOW_ISA
