// What channel_affine and its gradient share: parameters of either float type.
#pragma once
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"
#include "ops/channel_affine_operands.h"

namespace flow::cuda {

/** A contiguous vector of float32 or float64. */
struct Numbers {
  const float* of_float;
  const double* of_double;

  explicit Numbers(const Operand& v)
      : of_float(v.dtype == DType::f32 ? v.as<const float>() : nullptr),
        of_double(v.dtype == DType::f64 ? v.as<const double>() : nullptr) {}
  __device__ __forceinline__ double at(int64_t i) const { return of_float ? static_cast<double>(of_float[i]) : of_double[i]; }
};

/** exp(±s), in the type of the rows: float64 has a fraction of the throughput on most GPUs. */
template <class T>
__device__ __forceinline__ T channel_factor(double s, bool inverse) {
  return exp(static_cast<T>(inverse ? -s : s));
}

}  // namespace flow::cuda
