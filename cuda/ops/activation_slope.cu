// activation_slope: y = f(z) and the slope f′(z) in one pass. in: z, beta [1] (absent but for lip_swish); out, each perhaps
// absent: y, slope; attributes: kind (native/math/activation_slope.h).
//
// Floor: z, y and the slope, once, 16 bytes at a time where they are aligned.
#include "cuda/core/activation_slope.h"

namespace flow::cuda {
namespace {

template <int W, SmoothKind kind, class T>
struct Both {
  Matrix<const T> z;
  const T* beta;
  Matrix<T> y, slope;

  __device__ __forceinline__ T sample(int64_t) const { return beta ? *beta : T(1); }
  __device__ __forceinline__ void operator()(T factor, int64_t row, int64_t unit) const {
    T value[W], slopes[W];
    load<W>(value, z.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const SmoothParts<T> parts = smooth_parts<kind>(value[k], factor);
      value[k] = parts.value;
      slopes[k] = parts.slope;
    }
    if (y.p) store<W>(y.at(row, unit * W), value);
    if (slope.p) store<W>(slope.at(row, unit * W), slopes);
  }
};

bool activation_slope(const Call& call) {
  const Operand &z = call.in[0], &beta = call.in[1], &y = call.out[0], &slope = call.out[1];
  if (!check_smooth(call, z, beta) || !check_smooth_like(call, y, "y", z) || !check_smooth_like(call, slope, "slope", z))
    return false;
  return with_float(call, z, "z", [&](auto zero) {
    using T = decltype(zero);
    return with_smooth_kind(call, [&]<SmoothKind kind>() {
      return Width<T>().of(z).of(y).of(slope).columns(z.cols).choose([&](auto tag) {
        constexpr int W = decltype(tag)::value;
        return walk_samples(call, z.rows, z.cols / W,
                            Both<W, kind, T>{matrix<const T>(z), beta.as<const T>(), matrix<T>(y), matrix<T>(slope)});
      });
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_slope) = {"activation_slope", activation_slope, 2, 2, 2, 1};

}  // namespace flow::cuda
