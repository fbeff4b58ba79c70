// log_prob: one log-density a row, summed in float64. Attribute: kind.
//   0 normal: in z · 1 logistic: in z · 2 Bernoulli: in logits, x
// Output: float64, one value a row, side by side.
#include "ops/log_prob_operands.h"
#include "ops/reduce.h"
#include "simd/math.h"
#include "math/log_prob.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call) {
  const Operand& z = call.in[0];
  double* out = call.out[0].as<double>();
  const Operand& x = call.in[call.n_in - 1];
  int64_t kind = call.int_attr(0), cols = z.cols;
  parallel_rows(z.rows, cols * 4 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* row = z.as<T>() + r * z.ld;
      if (kind == 0) {
        // Squares in float64: as fast, and exact.
        out[r] = sum_row(row, cols, [](auto v) FLOW_INLINE_LAMBDA { return normal_log_prob(v); }) -
                 static_cast<double>(cols) * half_log_two_pi;
      } else if (kind == 1) {
        out[r] = sum_terms<T>(cols, [](Vec<T> v) FLOW_INLINE_LAMBDA { return logistic_log_prob(v); }, row);
      } else {
        out[r] = sum_terms<T>(
            cols, [](Vec<T> l, Vec<T> v) FLOW_INLINE_LAMBDA { return bernoulli_log_prob(l, v); }, row,
            static_cast<const T*>(x.as<T>() + r * x.ld));
      }
    }
  });
  return true;
}

bool log_prob(const Call& call) {
  if (!check_log_prob(call)) return false;
  return with_float(call, call.in[0], "z", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(log_prob) = {"log_prob", log_prob, 1, 2, 1, 1};

}  // namespace flow::FLOW_ISA
