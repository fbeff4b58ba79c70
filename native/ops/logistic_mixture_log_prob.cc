// logistic_mixture_log_prob: log p of levels by a mixture of discretised logistics (discrete.h), summed over the rows of a
// sample in float64; −∞ where x is no level. in: params, x [rows, C] of the type of params; out: [samples] float64.
// Attributes: levels, least logarithm of a scale, rows a sample.
#include "ops/discrete.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, const LogisticMixture& m, int64_t positions) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const Operand &params = call.in[0], &x = call.in[1];
  // About eight registers of rows a task.
  sum_by_sample(x.rows / positions, positions, task_bytes / (8 * w), vector_view<double>(call.out[0]), 1,
                [&](int64_t first, int64_t last) {
                  const int64_t columns = m.columns();
                  V* tile = static_cast<V*>(scratch(static_cast<size_t>(columns + m.components) * sizeof(V), 5));
                  V levels[64];
                  LogDetSum sum;
                  for (int64_t r = first; r < last; r += w) {
                    const int live = static_cast<int>(min_of(w, last - r));
                    rows_to_lanes(params.as<T>() + r * params.ld, params.ld, live, columns, tile);
                    rows_to_lanes(x.as<T>() + r * x.ld, x.ld, live, m.channels, levels);
                    const V term = mixture_log_prob<false>(m, tile, levels, V(1), tile + columns);
                    sum.add(live == w ? term : first_lanes(term, live));
                  }
                  return sum;
                });
  return true;
}

bool logistic_mixture_log_prob(const Call& call) {
  LogisticMixture m{};
  int64_t positions = 1;
  if (!check_logistic_mixture_log_prob(call, m, positions)) return false;
  return with_float(call, call.in[0], "params", [&](auto zero) { return run_type<decltype(zero)>(call, m, positions); });
}

}  // namespace

FLOW_DEFINE_OP(logistic_mixture_log_prob) = {"logistic_mixture_log_prob", logistic_mixture_log_prob, 2, 2, 1, 3};

}  // namespace flow::FLOW_ISA
