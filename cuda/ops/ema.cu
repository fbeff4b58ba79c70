// ema: shadow ← shadow + (1 − decay)·(value − shadow) for a list of tensors.
// in: decay (float64 scalar), skip (see adam) or absent, n values; out, in place: n shadows.
//
// Floor: both read and the shadows written, once, in one launch.
#include "cuda/core/scalar.h"
#include "cuda/core/tensor_list.h"
#include "ops/optimizer_operands.h"

namespace flow::cuda {
namespace {

struct Ema {
  static constexpr int numbers = 1;
  static constexpr unsigned stored = 0b10;  // the list is value, shadow
  const double* decay;
  Skip skip;

  __device__ __forceinline__ bool skips() const { return skip(); }
  __device__ __forceinline__ double number(int) const { return 1 - *decay; }
  template <class T>
  __device__ __forceinline__ T known(const double* all) const {
    return static_cast<T>(all[0]);
  }
  template <class T, int W>
  __device__ __forceinline__ void operator()(T rate, T (&x)[2][W]) const {
#pragma unroll
    for (int k = 0; k < W; ++k) x[1][k] = fma(rate, x[0][k] - x[1][k], x[1][k]);
  }
};

bool ema(const Call& call) {
  EmaOperands of{};
  if (!read_ema(call, of)) return false;
  const Operand* const lists[2] = {of.values, of.shadows};
  return update_tensors<2>(call, lists, nullptr, of.n, Ema{of.decay->as<const double>(), {of.skip->as<const int32_t>()}});
}

}  // namespace

FLOW_DEFINE_OP(ema) = {"ema", ema, 2, 4096, -1, 0};

}  // namespace flow::cuda
