// log_prob: one log-density a row, summed in float64. Attribute: kind.
//   0 normal: in z · 1 logistic: in z · 2 Bernoulli: in logits, x
// Output: float64, one value a row, side by side.
//
// Floor: the inputs and one number a row, once. Lanes of a warp share a row, 16 bytes each where rows are aligned.
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "math/log_prob.h"
#include "ops/log_prob_operands.h"

namespace flow::cuda {
namespace {

template <int W, int kind, class T>
struct LogProb {
  Matrix<const T> z, x;
  double constant;  // of a row

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ double operator()(Nothing, int64_t row, int64_t unit) const {
    T value[W], other[W];
    load<W>(value, z.at(row, unit * W));
    if constexpr (kind == 2) load<W>(other, x.at(row, unit * W));
    double sum = unit == 0 ? constant : 0;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      // Squares in float64: exact, and as fast where memory is the limit.
      if constexpr (kind == 0) sum += normal_log_prob(static_cast<double>(value[k]));
      if constexpr (kind == 1) sum += static_cast<double>(logistic_log_prob(value[k]));
      if constexpr (kind == 2) sum += static_cast<double>(bernoulli_log_prob(value[k], other[k]));
    }
    return sum;
  }
};

template <int kind, class T>
bool run_kind(const Call& call) {
  const Operand &z = call.in[0], &x = call.in[call.n_in - 1];
  return Width<T>().of(z).of(x).columns(z.cols).choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const double constant = kind == 0 ? -static_cast<double>(z.cols) * half_log_two_pi : 0;
    return sum_samples(call, z.rows, z.cols / W, LogProb<W, kind, T>{matrix<const T>(z), matrix<const T>(x), constant},
                       SampleSums{{call.out[0].as<double>(), 1}, false});
  });
}

bool log_prob(const Call& call) {
  if (!check_log_prob(call)) return false;
  const int64_t kind = call.int_attr(0);
  return with_float(call, call.in[0], "z", [&](auto zero) {
    using T = decltype(zero);
    return kind == 0 ? run_kind<0, T>(call) : kind == 1 ? run_kind<1, T>(call) : run_kind<2, T>(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(log_prob) = {"log_prob", log_prob, 1, 2, 1, 1};

}  // namespace flow::cuda
