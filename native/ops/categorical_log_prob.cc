// categorical_log_prob: Σ over the rows and channels of a sample of log softmax(logits)[x], summed in float64; −∞ where x is no
// level. in: logits [rows, C·L], x [rows, C] of any type; out: log p [samples] float64, and, or left out, [rows, 2·C]: the
// largest logit and log Σ exp(logit − largest) of each channel. Attributes: L, rows a sample.
#include "ops/discrete.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, int64_t levels, int64_t positions) {
  const Operand &logits = call.in[0], &x = call.in[1], &stats = call.out[1];
  const Levels level{x};
  sum_by_sample(logits.rows / positions, positions, logits.cols * int64_t{8 * sizeof(T)}, vector_view<double>(call.out[0]), 1,
                [&](int64_t first, int64_t last) {
                  double total = 0;
                  for (int64_t r = first; r < last; ++r) {
                    for (int64_t c = 0; c < x.cols; ++c) {
                      const T* l = logits.as<T>() + r * logits.ld + c * levels;
                      T most, log_sum;
                      log_sum_exp(l, levels, most, log_sum);
                      const double at = level.at(r, c);
                      total += is_level(at, levels)
                                   ? static_cast<double>(l[static_cast<int64_t>(at)]) - static_cast<double>(most) -
                                         static_cast<double>(log_sum)
                                   : -__builtin_huge_val();
                      if (stats.absent()) continue;
                      T* kept = stats.as<T>() + r * stats.ld + 2 * c;
                      kept[0] = most;
                      kept[1] = log_sum;
                    }
                  }
                  LogDetSum sum;
                  sum.low = load_partial<Vec<double>>(&total, 1);
                  return sum;
                });
  return true;
}

bool categorical_log_prob(const Call& call) {
  int64_t positions = 1;
  if (!check_categorical_log_prob(call, positions)) return false;
  return with_float(call, call.in[0], "logits",
                    [&](auto zero) { return run_type<decltype(zero)>(call, call.int_attr(0), positions); });
}

}  // namespace

FLOW_DEFINE_OP(categorical_log_prob) = {"categorical_log_prob", categorical_log_prob, 2, 2, 2, 2};

}  // namespace flow::FLOW_ISA
