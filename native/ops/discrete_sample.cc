// discrete_sample: levels drawn from uniform numbers in [0, 1), row by row. Attributes: kind, levels, least logarithm of a scale.
//   0 categorical: in logits [rows, C·L], u [rows, C]: the smallest level whose cumulated probability is above u
//   1 mixture of discretised logistics (discrete.h): in params, u [rows, 1 + C]: the mixture by the first number, each channel by
//     the inverse of its distribution function
//   2 Bernoulli: in logits [rows, C], u [rows, C]: 1 where u is below the sigmoid of the logit
// out: x [rows, C] of the type of the parameters; NaN where the parameters are no distribution: a NaN, or +∞ among the logits.
#include "ops/discrete.h"

namespace flow::FLOW_ISA {
namespace {

bool discrete_sample(const Call& call) {
  const Operand &params = call.in[0], &u = call.in[1], &out = call.out[0];
  DiscreteKind kind{};
  LogisticMixture m;
  if (!read_discrete_sample(call, kind, m)) return false;
  const bool mixture = kind == DiscreteKind::mixture, bits = kind == DiscreteKind::bernoulli;
  const int64_t levels = call.int_attr(1);
  return with_float(call, params, "params", [&](auto zero) {
    using T = decltype(zero);
    parallel_rows(params.rows, params.cols * int64_t{8 * sizeof(T)}, [&](int64_t first, int64_t last) {
      T* e = static_cast<T*>(scratch(static_cast<size_t>(max_of(1, mixture ? m.components : levels)) * sizeof(T), 5));
      for (int64_t r = first; r < last; ++r) {
        const T *p = params.as<T>() + r * params.ld, *uniform = u.as<T>() + r * u.ld;
        T* x = out.as<T>() + r * out.ld;
        if (mixture) {
          draw_mixture(m, p, uniform, x, e);
          continue;
        }
        for (int64_t c = 0; c < out.cols; ++c)
          x[c] = bits ? draw_bit(p[c], uniform[c])
                      : level_of<T>(draw_category(p + c * levels, levels, static_cast<double>(uniform[c]), e));
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(discrete_sample) = {"discrete_sample", discrete_sample, 2, 2, 1, 3};

}  // namespace flow::FLOW_ISA
