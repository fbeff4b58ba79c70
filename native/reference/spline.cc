// spline: forward by its formula, inverse by bisection. Attributes: see ops/spline.cc.
#include "reference/spline.h"

namespace flow::reference {

bool spline(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0], &log_det = call.out[1];
  const Spline s(call);
  FLOW_AGREE(call, is_spline(call, s) && like(out, in) && is_vector(log_det, in.rows, DType::f64));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> from(in), to(out);
    const Vector<double> sums(log_det);
    for (int64_t n = 0; n < in.rows; ++n) {
      double total = 0;
      for (int64_t c = 0; c < in.cols; ++c) {
        const Knots<double> knots = knots_of(s, numbers_of<T>(s, call.in[1], n, c));
        const double given = from(n, c);
        double y, log_slope;
        if (call.attr[8] == 0) {
          spline_at(s, knots, given, y, log_slope);
          to(n, c) = static_cast<T>(y);
          total += log_slope;
          continue;
        }
        // The slope is bounded below: the root is not farther than this.
        double low = given - 1, high = given + 1;
        for (double step = 1;; step *= 2) {
          double at_low, at_high;
          spline_at(s, knots, low, at_low, log_slope);
          spline_at(s, knots, high, at_high, log_slope);
          if (at_low <= given && at_high >= given) break;
          if (at_low > given) low -= step;
          if (at_high < given) high += step;
          if (!(step < 1e30)) break;
        }
        for (int k = 0; k < 200; ++k) {
          const double middle = 0.5 * (low + high);
          spline_at(s, knots, middle, y, log_slope);
          (y < given ? low : high) = middle;
        }
        spline_at(s, knots, 0.5 * (low + high), y, log_slope);
        to(n, c) = static_cast<T>(0.5 * (low + high));
        total -= log_slope;
      }
      sums(n) = total;
    }
  });
}

}  // namespace flow::reference
