// log_prob: Σ over a row of log-densities. Attribute: kind (0 normal, 1 logistic, 2 Bernoulli). Inputs: z, or logits and x.
#include "reference/functions.h"

namespace flow::reference {
namespace {

double term(int64_t kind, double z, double x) {
  if (kind == 0) return -0.5 * z * z - 0.91893853320467274178;  // ½ log 2π
  if (kind == 1) return -z - 2 * softplus(-z);
  return -x * softplus(-z) - (1 - x) * softplus(z);
}

}  // namespace

bool log_prob(const Call& call) {
  const Operand &z = call.in[0], &out = call.out[0];
  const int64_t kind = call.int_attr(0);
  FLOW_AGREE(call, kind >= 0 && kind <= 2 && call.n_in == (kind == 2 ? 2 : 1));
  FLOW_AGREE(call, like(call.in[call.n_in - 1], z) && is_vector(out, z.rows, DType::f64));
  return for_float(call, z.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> value(z), x(call.in[call.n_in - 1]);
    const Vector<double> sums(out);
    for (int64_t r = 0; r < z.rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < z.cols; ++c) sum += term(kind, value(r, c), x(r, c));
      sums(r) = sum;
    }
  });
}

}  // namespace flow::reference
