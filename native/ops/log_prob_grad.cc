// log_prob_grad: dL_dz = d[row]·f'(z), and for Bernoulli also dL_dx = d[row]·logits. Inputs: z (or logits), d (float64,
// one value a row), and for Bernoulli x. Outputs: dL_dz, dL_dx (left out but for Bernoulli). Attribute: kind, as of log_prob.
#include "ops/elementwise.h"
#include "ops/log_prob_operands.h"
#include "simd/math.h"
#include "math/log_prob.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call) {
  using V = Vec<T>;
  const Operand &z = call.in[0], &d = call.in[1], &dL_dz = call.out[0], &dL_dx = call.out[1];
  const Operand& x = call.in[call.n_in - 1];
  int64_t kind = call.int_attr(0), cols = z.cols;
  parallel_rows(z.rows, cols * 4 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const V factor(static_cast<T>(d.as<double>()[r]));
      RowOf<T, false> row{z.as<T>() + r * z.ld};
      if (!dL_dz.absent()) {
        T* target = dL_dz.as<T>() + r * dL_dz.ld;
        if (kind == 0) {
          map_row(target, cols, [&](V v) FLOW_INLINE_LAMBDA { return factor * normal_log_prob_derivative(v); }, row);
        } else if (kind == 1) {
          map_row(target, cols, [&](V v) FLOW_INLINE_LAMBDA { return factor * logistic_log_prob_derivative(v); }, row);
        } else {
          map_row(
              target, cols,
              [&](V l, V v) FLOW_INLINE_LAMBDA { return factor * bernoulli_log_prob_derivative(l, v); }, row,
              RowOf<T, false>{x.as<T>() + r * x.ld});
        }
      }
      if (!dL_dx.absent())
        map_row(dL_dx.as<T>() + r * dL_dx.ld, cols, [&](V l) FLOW_INLINE_LAMBDA { return factor * l; }, row);
    }
  });
  return true;
}

bool log_prob_grad(const Call& call) {
  if (!check_log_prob_grad(call)) return false;
  return with_float(call, call.in[0], "z", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(log_prob_grad) = {"log_prob_grad", log_prob_grad, 2, 3, 2, 1};

}  // namespace flow::FLOW_ISA
