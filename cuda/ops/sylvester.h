// What sylvester and its gradient share: parameters, a row a sample or one for all.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "cuda/core/thread_rows.h"
// The formulas come after the functions that they call.
#include "math/sylvester.h"
#include "ops/sylvester_operands.h"

namespace flow::cuda {

/** A row that is read or written in place. */
template <class T>
struct RowNumbers {
  T* p;
  __device__ __forceinline__ T get(int64_t i) const { return p[i]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { p[i] = x; }
};

}  // namespace flow::cuda
