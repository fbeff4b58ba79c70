// What sylvester and its gradient share: parameters, and the log-determinants of a register of samples.
#pragma once
#include "ops/lane_rows.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/sylvester.h"

namespace flow::FLOW_ISA {

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

inline bool check_sylvester_params(const Call& call, const Operand& params, const Operand& v) {
  const int64_t count = SylvesterLayout{v.cols}.count();
  FLOW_CHECK(call, params.dtype == v.dtype, "params: expected %s, got %s", name_of(v.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count && (params.rows == v.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", static_cast<long long>(v.rows),
             static_cast<long long>(count), static_cast<long long>(params.rows), static_cast<long long>(params.cols));
  return true;
}

}  // namespace flow::FLOW_ISA
