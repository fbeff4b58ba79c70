// sylvester: y = v + R·tanh(a), a = S·v + b, and its inverse by bisection. Attributes: inverse.
#include "reference/sylvester.h"

namespace flow::reference {

bool sylvester(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &out = call.out[0], &log_det = call.out[1];
  const int64_t m = in.cols;
  const bool inverse = call.attr[0] != 0;
  FLOW_AGREE(call, is_sylvester(in, params) && like(out, in) && is_vector(log_det, in.rows, DType::f64));
  FLOW_AGREE(call, call.n_out == (inverse ? 5 : 2));
  for (int k = 2; k < call.n_out; ++k)
    FLOW_AGREE(call, call.out[k].absent() || is_vector(call.out[k], in.rows, k == 3 ? DType::f64 : DType::i32));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(out);
    const Vector<double> sums(log_det);
    for (int64_t n = 0; n < in.rows; ++n) {
      const SylvesterParams<T> p(params, n, m);
      double sum = 0;
      if (!inverse) {
        for (int64_t i = 0; i < m; ++i) {
          double total = x(n, i);
          for (int64_t j = i; j < m; ++j) total += p.upper(i, j) * std::tanh(p.inner(j, [&](int64_t k) { return x(n, k); }));
          y(n, i) = static_cast<T>(total);
          sum += std::log1p(p.slope(i, [&](int64_t k) { return x(n, k); }));
        }
      } else {
        for (int64_t i = m - 1; i >= 0; --i) {
          const auto v = [&](int64_t k) { return static_cast<double>(y(n, k)); };
          double rest = x(n, i);
          for (int64_t j = i + 1; j < m; ++j) rest -= p.upper(i, j) * std::tanh(p.inner(j, v));
          // v_i + r·tanh(s·v_i + shift) = rest grows with v_i.
          const double r = p.upper(i, i), s = p.second(i, i);
          double shift = p.offset(i), low = rest - std::fabs(r), high = rest + std::fabs(r);
          for (int64_t j = i + 1; j < m; ++j) shift += p.second(i, j) * v(j);
          for (int k = 0; k < 200; ++k) {
            const double middle = 0.5 * (low + high);
            (middle + r * std::tanh(s * middle + shift) < rest ? low : high) = middle;
          }
          y(n, i) = static_cast<T>(0.5 * (low + high));
          sum -= std::log1p(p.slope(i, v));
        }
        for (int k = 2; k < 5; k += 2)
          if (!call.out[k].absent()) Vector<int32_t>(call.out[k])(n) = k == 2 ? 200 : 1;
        if (!call.out[3].absent()) Vector<double>(call.out[3])(n) = 0;
      }
      sums(n) = sum;
    }
  });
}

}  // namespace flow::reference
