// sylvester_grad: by the Jacobian J = I + R·diag(h)·S as a full matrix, h = 1 − tanh² a. Attributes: inverse.
#include "reference/sylvester.h"

#include <vector>

namespace flow::reference {

bool sylvester_grad(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  const Operand &d_in = call.out[0], &d_params = call.out[1];
  const int64_t m = in.cols, count = m * m + 3 * m;
  const bool inverse = call.attr[0] != 0;
  FLOW_AGREE(call, is_sylvester(in, params) && like(d_in, in) && is(d_params, in.rows, count, in.dtype));
  FLOW_AGREE(call, (d_out.absent() || like(d_out, in)) && (d_log_det.absent() || is_vector(d_log_det, in.rows, DType::f64)));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), dx(d_in), dp(d_params);
    std::vector<double> t(m), h(m), da(m), g(m);
    for (int64_t n = 0; n < in.rows; ++n) {
      const SylvesterParams<T> p(params, n, m);
      const auto v = [&](int64_t k) { return static_cast<double>(x(n, k)); };
      const double dl = (d_log_det.absent() ? 0 : Vector<double>(d_log_det)(n)) * (inverse ? -1 : 1);
      for (int64_t i = 0; i < m; ++i) {
        t[i] = std::tanh(p.inner(i, v));
        h[i] = 1 / (std::cosh(p.inner(i, v)) * std::cosh(p.inner(i, v)));
        const double rs = p.upper(i, i) * p.second(i, i);
        da[i] = dl * rs * -2 * t[i] * h[i] / (1 + rs * h[i]);
        g[i] = d_out.absent() ? 0 : Matrix<T>(d_out)(n, i);
      }
      if (inverse) {
        // λ of Jᵀλ = dL_dv, with what the log-determinant sends to v; J is upper triangular.
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j <= i; ++j) g[i] += p.second(j, i) * da[j];
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t k = 0; k < i; ++k) {
            double entry = 0;  // J_ki
            for (int64_t j = k; j <= i; ++j) entry += p.upper(k, j) * h[j] * p.second(j, i);
            g[i] -= entry * g[k];
          }
          g[i] /= 1 + p.upper(i, i) * h[i] * p.second(i, i);
        }
      }
      const double sign = inverse ? -1 : 1;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j <= i; ++j) da[i] += sign * h[i] * p.upper(j, i) * g[j];
      for (int64_t i = 0; i < m; ++i) {
        double sent = g[i];
        for (int64_t j = 0; j <= i && !inverse; ++j) sent += p.second(j, i) * da[j];
        dx(n, i) = static_cast<T>(sent);
        const double by_product = dl * h[i] / (1 + p.upper(i, i) * p.second(i, i) * h[i]);
        dp(n, i * m + i) = 0;
        for (int64_t j = i + 1; j < m; ++j) {
          dp(n, i * m + j) = static_cast<T>(sign * g[i] * t[j]);
          dp(n, j * m + i) = static_cast<T>(da[i] * v(j));
        }
        dp(n, m * m + i) = static_cast<T>(sign * g[i] * t[i] + by_product * p.second(i, i));
        dp(n, m * m + m + i) = static_cast<T>(da[i] * v(i) + by_product * p.upper(i, i));
        dp(n, m * m + 2 * m + i) = static_cast<T>(da[i]);
      }
    }
  });
}

}  // namespace flow::reference
