// log_prob_grad: dL_dz = d[row]·f'(z), for Bernoulli also dL_dx = d[row]·logits. Inputs: z, d (float64), Bernoulli: x.
// Outputs, each may be absent: dL_dz, dL_dx. Attribute: kind, as of log_prob.
#include "reference/functions.h"

namespace flow::reference {

bool log_prob_grad(const Call& call) {
  const Operand &z = call.in[0], &d = call.in[1], &dL_dz = call.out[0], &dL_dx = call.out[1];
  const int64_t kind = call.int_attr(0);
  FLOW_AGREE(call, kind >= 0 && kind <= 2 && call.n_in == (kind == 2 ? 3 : 2) && is_vector(d, z.rows, DType::f64));
  FLOW_AGREE(call, kind != 2 || like(call.in[2], z));
  FLOW_AGREE(call, (dL_dz.absent() || like(dL_dz, z)) && (dL_dx.absent() || (kind == 2 && like(dL_dx, z))));
  return for_float(call, z.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> value(z), x(call.in[call.n_in - 1]), dz(dL_dz), dx(dL_dx);
    const Vector<double> factor(d);
    for (int64_t r = 0; r < z.rows; ++r) {
      for (int64_t c = 0; c < z.cols; ++c) {
        const double v = value(r, c);
        if (!dL_dz.absent()) {
          const double slope = kind == 0 ? -v : kind == 1 ? -std::tanh(0.5 * v) : x(r, c) - sigmoid(v);
          dz(r, c) = static_cast<T>(factor(r) * slope);
        }
        if (!dL_dx.absent()) dx(r, c) = static_cast<T>(factor(r) * v);
      }
    }
  });
}

}  // namespace flow::reference
