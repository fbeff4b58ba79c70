// spline_grad: by numbers that carry their derivatives; the inverse by the implicit function theorem. Attributes: see ops/spline.cc.
#include "reference/spline.h"

namespace flow::reference {

bool spline_grad(const Call& call) {
  const Operand &in = call.in[0], &d_out = call.in[2], &d_log_det = call.in[3], &d_in = call.out[0], &d_params = call.out[1];
  const Spline s(call);
  FLOW_AGREE(call, is_spline(call, s) && like(d_in, in) && is(d_params, in.rows, s.count() * in.cols, in.dtype));
  FLOW_AGREE(call, (d_out.absent() || like(d_out, in)) && (d_log_det.absent() || is_vector(d_log_det, in.rows, DType::f64)));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), to(d_in), to_params(d_params);
    const size_t count = static_cast<size_t>(s.count());
    for (int64_t n = 0; n < in.rows; ++n) {
      for (int64_t c = 0; c < in.cols; ++c) {
        const std::vector<double> values = numbers_of<T>(s, call.in[1], n, c);
        std::vector<Dual> p;
        for (size_t k = 0; k < count; ++k) p.emplace_back(values[k], count + 1, k);
        Dual y, log_slope;
        spline_at(s, knots_of(s, p), Dual(x(n, c), count + 1, count), y, log_slope);
        y.d.resize(count + 1);
        log_slope.d.resize(count + 1);
        double dy = d_out.absent() ? 0 : Matrix<T>(d_out)(n, c);
        double dl = d_log_det.absent() ? 0 : Vector<double>(d_log_det)(n);
        double sent = dy * y.d[count] + dl * log_slope.d[count];
        if (call.attr[8] != 0) {
          // x of y: dx/dy = 1/f', and log|dx/dy| = −log f'(x).
          sent = (dy - dl * log_slope.d[count]) / y.d[count];
          dy = -sent;
          dl = -dl;
        }
        to(n, c) = static_cast<T>(sent);
        for (size_t k = 0; k < count; ++k)
          to_params(n, c * s.count() + static_cast<int64_t>(k)) = static_cast<T>(dy * y.d[k] + dl * log_slope.d[k]);
      }
    }
  });
}

}  // namespace flow::reference
