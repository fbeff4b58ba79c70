// categorical_log_prob_grad: dL_dlogit_k = d[sample]·([k = x] − softmax_k); zero where x is no level. in: logits, x, the sums of
// categorical_log_prob, d [samples] float64; out: dL_dlogits. Attributes: L, rows a sample.
#include "ops/discrete.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, int64_t levels, int64_t positions) {
  using V = Vec<T>;
  const Operand &logits = call.in[0], &x = call.in[1], &stats = call.in[2], &out = call.out[0];
  const VectorView<double> d = vector_view<double>(call.in[3]);
  const Levels level{x};
  parallel_rows(x.rows, logits.cols * int64_t{8 * sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T factor = static_cast<T>(d[r / positions]);
      for (int64_t c = 0; c < x.cols; ++c) {
        const T* l = logits.as<T>() + r * logits.ld + c * levels;
        T* g = out.as<T>() + r * out.ld + c * levels;
        const T* sums = stats.as<T>() + r * stats.ld + 2 * c;
        const double at = level.at(r, c);
        const bool valid = is_level(at, levels);
        const V most(sums[0]), log_sum(sums[1]), scale(valid ? -factor : T(0));
        for_lanes<V>(levels, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
          store_live(g + i, scale * exp((load_live(l + i, live) - most) - log_sum), live);
        });
        if (valid) g[static_cast<int64_t>(at)] += factor;
      }
    }
  });
  return true;
}

bool categorical_log_prob_grad(const Call& call) {
  int64_t positions = 1;
  if (!check_categorical_log_prob_grad(call, positions)) return false;
  return with_float(call, call.in[0], "logits",
                    [&](auto zero) { return run_type<decltype(zero)>(call, call.int_attr(0), positions); });
}

}  // namespace

FLOW_DEFINE_OP(categorical_log_prob_grad) = {"categorical_log_prob_grad", categorical_log_prob_grad, 4, 4, 1, 2};

}  // namespace flow::FLOW_ISA
