// discrete_sample: levels by the inverse of the distribution function. Attributes: kind, levels, least logarithm of a scale.
#include "reference/discrete.h"

namespace flow::reference {
namespace {

// exp in the type of the logits, sums from the left.
template <class T, class L>
int64_t category(const L& l, int64_t n, double u) {
  T most = l(0);
  for (int64_t k = 1; k < n; ++k) most = std::fmax(most, l(k));
  double total = 0, sum = 0;
  for (int64_t k = 0; k < n; ++k) total += static_cast<double>(std::exp(l(k) - most));
  if (std::isnan(total)) return -1;
  for (int64_t k = 0; k < n; ++k) {
    sum += static_cast<double>(std::exp(l(k) - most));
    if (sum > u * total) return k;
  }
  return n - 1;
}

}  // namespace

bool discrete_sample(const Call& call) {
  const Operand &params = call.in[0], &uniform = call.in[1], &out = call.out[0];
  const bool mixture = call.attr[0] == 1, bits = call.attr[0] == 2;
  const int64_t levels = call.int_attr(1), channels = out.cols;
  const Mixture mix(params, channels, call.attr[1], call.attr[2]);
  FLOW_AGREE(call, mixture ? mix.fits(params) : levels > 0 && params.cols == channels * (bits ? 1 : levels));
  FLOW_AGREE(call, is(uniform, params.rows, channels + (mixture ? 1 : 0), params.dtype));
  FLOW_AGREE(call, is(out, params.rows, channels, params.dtype));
  return for_float(call, params.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> p(params), u(uniform), x(out);
    for (int64_t r = 0; r < params.rows; ++r) {
      if (bits) {
        for (int64_t c = 0; c < channels; ++c) x(r, c) = std::isnan(p(r, c)) ? p(r, c) : u(r, c) < sigmoid(p(r, c)) ? T(1) : T(0);
        continue;
      }
      if (!mixture) {
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t k = category<T>([&](int64_t at) { return p(r, c * levels + at); }, levels, static_cast<double>(u(r, c)));
          x(r, c) = k < 0 ? static_cast<T>(std::nan("")) : static_cast<T>(k);
        }
        continue;
      }
      const int64_t m = category<T>([&](int64_t k) { return p(r, k); }, mix.k, static_cast<double>(u(r, 0)));
      for (int64_t c = 0; c < channels; ++c) {
        if (m < 0) {
          x(r, c) = static_cast<T>(std::nan(""));
          continue;
        }
        double mean = static_cast<double>(p(r, mix.mean(c, m)));
        for (int64_t j = 0; j < c; ++j)
          mean += std::tanh(static_cast<double>(p(r, mix.coefficient(c, j, m)))) * mix.value(static_cast<double>(x(r, j)));
        const double log_scale = static_cast<double>(p(r, mix.log_scale(c, m)));
        const double scale = std::exp(log_scale < mix.least ? mix.least : log_scale);
        const double v = static_cast<double>(u(r, c + 1));
        const double level = std::floor((mean + scale * (std::log(v) - std::log1p(-v)) + 1) / 2 * (levels - 1) + 0.5);
        x(r, c) = static_cast<T>(std::isnan(level) ? level : std::fmin(std::fmax(level, 0), levels - 1));
      }
    }
  });
}

}  // namespace flow::reference
