// logistic_mixture_log_prob_grad: the gradient of logistic_mixture_log_prob by params, times d[sample]; zero where x is no
// level. in: params, x, d [samples] float64; out: dL_dparams. Attributes: as logistic_mixture_log_prob.
#include "ops/discrete.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, const LogisticMixture& m, int64_t positions) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const Operand &params = call.in[0], &x = call.in[1], &out = call.out[0];
  const VectorView<double> d = vector_view<double>(call.in[2]);
  const int64_t columns = m.columns();
  parallel_rows(ceil_div(x.rows, w), columns * int64_t{16 * w * sizeof(T)}, [&](int64_t first, int64_t last) {
    V* tile = static_cast<V*>(scratch(static_cast<size_t>(2 * columns) * sizeof(V), 5));
    V levels[64];
    for (int64_t r = first * w; r < min_of(last * w, x.rows); r += w) {
      const int live = static_cast<int>(min_of(w, x.rows - r));
      rows_to_lanes(params.as<T>() + r * params.ld, params.ld, live, columns, tile);
      rows_to_lanes(x.as<T>() + r * x.ld, x.ld, live, m.channels, levels);
      T factor[w] = {};
      for (int i = 0; i < live; ++i) factor[i] = static_cast<T>(d[(r + i) / positions]);
      mixture_log_prob<true>(m, tile, levels, load<V>(factor), tile + columns);
      lanes_to_rows(tile + columns, live, columns, out.as<T>() + r * out.ld, out.ld);
    }
  });
  return true;
}

bool logistic_mixture_log_prob_grad(const Call& call) {
  LogisticMixture m{};
  int64_t positions = 1;
  if (!check_logistic_mixture_log_prob_grad(call, m, positions)) return false;
  return with_float(call, call.in[0], "params", [&](auto zero) { return run_type<decltype(zero)>(call, m, positions); });
}

}  // namespace

FLOW_DEFINE_OP(logistic_mixture_log_prob_grad) = {"logistic_mixture_log_prob_grad", logistic_mixture_log_prob_grad, 3, 3, 1, 3};

}  // namespace flow::FLOW_ISA
