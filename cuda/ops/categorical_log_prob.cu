// categorical_log_prob: Σ over the rows and channels of a sample of log softmax(logits)[x], in float64; −∞ where x is no level.
// in: logits [rows, C·L], x [rows, C] of any type; out: log p [samples] float64, and, or left out, [rows, 2·C]: the largest logit and
// log Σ exp(logit − largest) of each channel. Attributes: L, rows a sample.
//
// Floor: the logits once. A thread takes a softmax twice, the second time out of the cache.
#include "cuda/ops/discrete.h"

namespace flow::cuda {
namespace {

template <class T, class X>
struct LogProb {
  Matrix<const T> logits;
  Matrix<const X> x;
  Matrix<T> kept;
  int64_t levels, positions, channels;

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ double operator()(Nothing, int64_t n, int64_t unit) const {
    const int64_t r = n * positions + unit / channels, c = unit % channels;
    const T* l = logits.at(r, c * levels);
    T most, log_sum;
    log_sum_exp(l, levels, most, log_sum);
    if (kept.p) {
      *kept.at(r, 2 * c) = most;
      *kept.at(r, 2 * c + 1) = log_sum;
    }
    const X at = *x.at(r, c);
    if (!is_level(at, levels)) return -HUGE_VAL;
    return static_cast<double>(l[static_cast<int64_t>(at)]) - static_cast<double>(most) - static_cast<double>(log_sum);
  }
};

bool categorical_log_prob(const Call& call) {
  int64_t positions = 1;
  if (!check_categorical_log_prob(call, positions)) return false;
  const Operand &logits = call.in[0], &x = call.in[1], &kept = call.out[1];
  return with_float(call, logits, "logits", [&](auto zero) {
    using T = decltype(zero);
    return with_type(x.dtype, [&](auto level) {
      using X = decltype(level);
      const LogProb<T, X> work{matrix<const T>(logits), matrix<const X>(x), matrix<T>(kept), call.int_attr(0), positions, x.cols};
      return sum_samples(call, x.rows / positions, positions * x.cols, work, SampleSums{vector<double>(call.out[0]), false});
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(categorical_log_prob) = {"categorical_log_prob", categorical_log_prob, 2, 2, 2, 2};

}  // namespace flow::cuda
