// activation_slope_grad: backward of activation_slope by y and slope together.
// in: z, beta or absent, dL_dy or absent, dL_dslope or absent; out, each perhaps absent: dL_dz, dL_dbeta [1]; attributes: kind.
//
// Floor: every operand, once. What a block gives of dL_dbeta is folded in float64, and by one block more what all gave.
#include "cuda/core/activation_slope.h"

namespace flow::cuda {
namespace {

constexpr unsigned most_blocks = 1024;

template <class T>
struct Operands {
  Matrix<const T> z, dL_dy, dL_dslope;
  Matrix<T> dL_dz;
  const T* beta;
  int64_t cols, count;
};

template <SmoothKind kind, class T>
__global__ void __launch_bounds__(block_threads) backward(Operands<T> o, double* partials) {
  FLOW_SHARED(memory);
  const T beta = o.beta ? *o.beta : T(1);
  double sum = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; i < o.count;
       i += static_cast<int64_t>(gridDim.x) * block_threads) {
    const int64_t r = i / o.cols, c = i % o.cols;
    const SmoothParts<T> parts = smooth_parts<kind>(*o.z.at(r, c), beta);
    const T by_y = o.dL_dy.p ? *o.dL_dy.at(r, c) : T(0), by_slope = o.dL_dslope.p ? *o.dL_dslope.at(r, c) : T(0);
    if (o.dL_dz.p) *o.dL_dz.at(r, c) = by_y * parts.slope + by_slope * parts.curvature;
    sum += static_cast<double>(by_y * parts.value_by_beta + by_slope * parts.slope_by_beta);
  }
  if (!partials) return;
  sum = block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

template <class T>
__global__ void __launch_bounds__(block_threads) fold_partials(const double* partials, int count, T* out) {
  FLOW_SHARED(memory);
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) sum += partials[i];
  sum = block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
  if (threadIdx.x == 0) *out = static_cast<T>(sum);
}

bool activation_slope_grad(const Call& call) {
  const Operand &z = call.in[0], &beta = call.in[1], &dL_dbeta = call.out[1];
  if (!check_smooth(call, z, beta) || !check_smooth_like(call, call.in[2], "dL_dy", z) ||
      !check_smooth_like(call, call.in[3], "dL_dslope", z) || !check_smooth_like(call, call.out[0], "dL_dz", z))
    return false;
  FLOW_CHECK(call, dL_dbeta.absent() || (dL_dbeta.count() == 1 && dL_dbeta.dtype == z.dtype),
             "dL_dbeta: expected one number of the type of z");
  return with_float(call, z, "z", [&](auto zero) {
    using T = decltype(zero);
    const Operands<T> operands{matrix<const T>(z),         matrix<const T>(call.in[2]), matrix<const T>(call.in[3]),
                               matrix<T>(call.out[0]), beta.as<const T>(),          max_of(1, z.cols), z.count()};
    unsigned blocks = blocks_for(z.count());
    if (blocks > most_blocks) blocks = most_blocks;
    double* partials = dL_dbeta.absent() ? nullptr : static_cast<double*>(workspace(blocks * sizeof(double)));
    if (!dL_dbeta.absent() && !partials) return call.fail("memory: the device has none left");
    const bool went = with_smooth_kind(call, [&]<SmoothKind kind>() {
      FLOW_LAUNCH((backward<kind, T>), blocks, block_threads, fold_bytes<double>(block_threads), operands, partials);
      return launched(call);
    });
    if (!went || dL_dbeta.absent()) return went;
    FLOW_LAUNCH((fold_partials<T>), 1, block_threads, fold_bytes<double>(block_threads), partials, static_cast<int>(blocks),
                dL_dbeta.as<T>());
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_slope_grad) = {"activation_slope_grad", activation_slope_grad, 4, 4, 2, 1};

}  // namespace flow::cuda
