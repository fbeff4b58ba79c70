// What channel_affine and its gradient share: parameters of either float type, and checks.
#pragma once
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"

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

inline bool is_channel_vector(const Operand& v, int64_t cols) {
  return v.count() == cols && v.contiguous() && (v.dtype == DType::f32 || v.dtype == DType::f64);
}

/** Attributes inverse (0 or 1) and positions, and the samples that the rows of x are. */
inline bool check_channel_affine(const Call& call, const Operand& x, const Operand& samples) {
  FLOW_CHECK(call, call.attr[0] == 0 || call.attr[0] == 1, "inverse: expected 0 or 1, got %g", call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 1 && call.attr[1] <= 1e15, "positions: expected 1 or more, got %g", call.attr[1]);
  FLOW_CHECK(call,
             samples.absent() || (samples.dtype == DType::f64 && samples.contiguous() && samples.count() * call.int_attr(1) == x.rows),
             "log_det: expected float64 with one value for each %lld of %lld rows, got %s %lld × %lld", ll(call.int_attr(1)),
             ll(x.rows), name_of(samples.dtype), ll(samples.rows), ll(samples.cols));
  for (int i = 1; i < 3; ++i)
    FLOW_CHECK(call, is_channel_vector(call.in[i], x.cols), "input %d: expected %lld floats side by side, got %s %lld × %lld", i,
               ll(x.cols), name_of(call.in[i].dtype), ll(call.in[i].rows), ll(call.in[i].cols));
  return true;
}

}  // namespace flow::cuda
