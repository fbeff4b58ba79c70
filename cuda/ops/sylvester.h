// What sylvester and its gradient share: parameters, a row a sample or one for all.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "cuda/core/thread_rows.h"
// The formulas come after the functions that they call.
#include "math/sylvester.h"

namespace flow::cuda {

inline bool check_sylvester_params(const Call& call, const Operand& params, const Operand& v) {
  const int64_t count = SylvesterLayout{v.cols}.count();
  FLOW_CHECK(call, v.cols >= 1, "v: expected one column at least");
  FLOW_CHECK(call, params.dtype == v.dtype, "params: expected %s, got %s", name_of(v.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count && (params.rows == v.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", ll(v.rows), ll(count), ll(params.rows), ll(params.cols));
  return true;
}

/** A row that is read or written in place. */
template <class T>
struct RowNumbers {
  T* p;
  __device__ __forceinline__ T get(int64_t i) const { return p[i]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { p[i] = x; }
};

}  // namespace flow::cuda
