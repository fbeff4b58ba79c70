// What the ops of discrete variables read of their operands and attributes, on either device: levels 0 … L − 1 in rows of C channels,
// P rows a sample, and what describes their distribution. Comes after max_of of the device.
//
// categorical: logits [rows, C·L], channel by channel.
// mixture of K discretised logistics (Salimans et al. 2017): [rows, K·(1 + 2C + C(C − 1)/2)] in blocks of K columns:
//   logits of the mixtures, C means, C logarithms of scales, and for each pair of channels j < c, in the order (1,0), (2,0),
//   (2,1), …, the coefficient, through tanh, by which the value of channel j moves the mean of channel c. Values are levels on
//   [−1, 1]: v = 2x/(L − 1) − 1.
#pragma once
#include "math/formula.h"
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t most_levels = 1 << 24;  // whole numbers in float32

struct LogisticMixture {
  int64_t components, channels, levels;
  double least_log_scale;

  FLOW_FORMULA int64_t columns() const { return components * (1 + 2 * channels + channels * (channels - 1) / 2); }
  /** Columns of block b: logits are block 0, then means, log-scales, coefficients. */
  FLOW_FORMULA int64_t mean(int64_t c) const { return (1 + c) * components; }
  FLOW_FORMULA int64_t log_scale(int64_t c) const { return (1 + channels + c) * components; }
  FLOW_FORMULA int64_t coefficient(int64_t c, int64_t j) const { return (1 + 2 * channels + c * (c - 1) / 2 + j) * components; }
};

/** Attributes from `at` on: levels, least logarithm of a scale. params [rows, …] of x [rows, channels]. */
inline bool read_mixture(const Call& call, const Operand& params, int64_t channels, int at, LogisticMixture& out) {
  FLOW_CHECK(call, whole_attr(call, at, 2, most_levels), "levels: expected a whole number from 2 to 2^24, got %g", call.attr[at]);
  FLOW_CHECK(call, channels >= 1 && channels <= 64, "x: expected 1 to 64 channels, got %lld", ll(channels));
  FLOW_CHECK(call, call.attr[at + 1] > -80 && call.attr[at + 1] < 80, "least log-scale: expected a number within ±80, got %g",
             call.attr[at + 1]);
  out = {1, channels, call.int_attr(at), call.attr[at + 1]};
  const int64_t blocks = out.columns();
  FLOW_CHECK(call, params.cols >= blocks && params.cols % blocks == 0,
             "params: expected a multiple of %lld columns for %lld channels, got %lld", ll(blocks), ll(channels), ll(params.cols));
  out.components = params.cols / blocks;
  return true;
}

/** Checks d or log p, [samples] float64; attribute `at`: the number of rows a sample. */
inline bool check_samples(const Call& call, const Operand& sums, const char* what, int64_t rows, int at, int64_t& positions) {
  FLOW_CHECK(call, whole_attr(call, at, 1, max_of(1, rows)) && rows % call.int_attr(at) == 0,
             "positions: expected a divisor of the %lld rows, got %g", ll(rows), call.attr[at]);
  positions = call.int_attr(at);
  return check_log_det(call, sums, what, rows / positions);
}

inline bool check_logits(const Call& call) {
  const Operand &logits = call.in[0], &x = call.in[1];
  FLOW_CHECK(call, whole_attr(call, 0, 1, most_levels) && logits.cols == x.cols * call.int_attr(0) && logits.rows == x.rows,
             "logits: expected %lld × %lld·%g, got %lld × %lld", ll(x.rows), ll(x.cols), call.attr[0], ll(logits.rows),
             ll(logits.cols));
  return true;
}
inline bool check_categorical_log_prob(const Call& call, int64_t& positions) {
  const Operand &logits = call.in[0], &x = call.in[1], &stats = call.out[1];
  return check_logits(call) && check_samples(call, call.out[0], "output", x.rows, 1, positions) &&
         (stats.absent() || check_like(call, stats, "sums", logits, 2 * x.cols));
}
inline bool check_categorical_log_prob_grad(const Call& call, int64_t& positions) {
  const Operand &logits = call.in[0], &x = call.in[1];
  return check_logits(call) && check_samples(call, call.in[3], "d", x.rows, 1, positions) &&
         check_like(call, call.in[2], "sums", logits, 2 * x.cols) &&
         check_like(call, call.out[0], "dL_dlogits", logits, logits.cols);
}

inline bool check_logistic_mixture_log_prob(const Call& call, LogisticMixture& m, int64_t& positions) {
  const Operand &params = call.in[0], &x = call.in[1];
  return read_mixture(call, params, x.cols, 0, m) && check_like(call, x, "x", params, x.cols) &&
         check_samples(call, call.out[0], "output", x.rows, 2, positions);
}
inline bool check_logistic_mixture_log_prob_grad(const Call& call, LogisticMixture& m, int64_t& positions) {
  const Operand &params = call.in[0], &x = call.in[1];
  return read_mixture(call, params, x.cols, 0, m) && check_like(call, x, "x", params, x.cols) &&
         check_samples(call, call.in[2], "d", x.rows, 2, positions) &&
         check_like(call, call.out[0], "dL_dparams", params, params.cols);
}

/** What discrete_sample draws from: attribute 0. */
enum class DiscreteKind : int { categorical, mixture, bernoulli };

inline bool read_discrete_sample(const Call& call, DiscreteKind& kind, LogisticMixture& m) {
  const Operand &params = call.in[0], &u = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, whole_attr(call, 0, 0, 2), "kind: expected 0 to 2, got %g", call.attr[0]);
  kind = static_cast<DiscreteKind>(call.int_attr(0));
  const bool mixture = kind == DiscreteKind::mixture, bits = kind == DiscreteKind::bernoulli;
  m = {1, out.cols, 2, 0};
  if (mixture && !read_mixture(call, params, out.cols, 1, m)) return false;
  FLOW_CHECK(call, mixture || (whole_attr(call, 1, 1, most_levels) && params.cols == out.cols * (bits ? 1 : call.int_attr(1))),
             "logits: expected %lld·%g columns, got %lld", ll(out.cols), call.attr[1], ll(params.cols));
  return check_like(call, u, "u", params, out.cols + (mixture ? 1 : 0)) && check_like(call, out, "output", params, out.cols);
}

}  // namespace flow::FLOW_ISA
