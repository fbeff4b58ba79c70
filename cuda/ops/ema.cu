// ema: shadow ← shadow + (1 − decay)·(value − shadow) for a list of tensors.
// in: decay (float64 scalar), skip (see adam) or absent, n values; out, in place: n shadows.
//
// Floor: both read and the shadows written, once, in one launch.
#include "cuda/core/scalar.h"
#include "cuda/core/tensor_list.h"

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
  const int n = call.n_out;
  FLOW_CHECK(call, call.n_in == 2 + n, "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  const Operand* values = call.in + 2;
  const Operand* shadows = call.out;
  if (!check_scalar(call, call.in[0], "decay") || !check_skip(call, call.in[1]) || !check_float_list(call, "shadows", shadows, n) ||
      !check_list(call, "values", values, shadows, n))
    return false;
  const Operand* const lists[2] = {values, shadows};
  return update_tensors<2>(call, lists, nullptr, n, Ema{call.in[0].as<const double>(), {call.in[1].as<const int32_t>()}});
}

}  // namespace

FLOW_DEFINE_OP(ema) = {"ema", ema, 2, 4096, -1, 0};

}  // namespace flow::cuda
