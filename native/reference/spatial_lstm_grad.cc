// spatial_lstm_grad: backwards through the pixels; what a state gives to its taps is added to their dL_dh.
#include "reference/spatial_lstm.h"

namespace flow::reference {

bool spatial_lstm_grad(const Call& call) {
  const Operand &dL_dh = call.in[0], &weight = call.in[1], &kept = call.in[2], &cells = call.in[3], &out = call.out[0];
  const Scan s(call, weight);
  FLOW_AGREE(call, s.fits(weight, dL_dh.rows) && is(dL_dh, dL_dh.rows, s.hidden, out.dtype) && like(cells, dL_dh) &&
                       is(weight, weight.rows, weight.cols, out.dtype));
  FLOW_AGREE(call, is(out, dL_dh.rows, 4 * s.hidden, out.dtype) && like(kept, out));
  return for_float(call, dL_dh.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> given(dL_dh), w(weight), gate(kept), cell(cells), d_gates(out);
    std::vector<double> dh(static_cast<size_t>(dL_dh.rows * s.hidden)), dc(dh.size(), 0.0);
    for (int64_t i = 0; i < dL_dh.rows; ++i)
      for (int64_t j = 0; j < s.hidden; ++j) dh[static_cast<size_t>(i * s.hidden + j)] = static_cast<double>(given(i, j));
    for (int64_t i = 0; i < out.rows; ++i)
      for (int64_t j = 0; j < out.cols; ++j) d_gates(i, j) = T(0);
    for (int64_t n = 0; n < dL_dh.rows / (s.height * s.width); ++n) {
      for (int64_t k = s.height * s.width - 1; k >= 0; --k) {
        int64_t r, c;
        s.pixel(k, r, c);
        if (!s.inside(r, c)) continue;
        const int64_t at = s.row(n, r, c);
        const auto cell_tap = static_cast<size_t>(s.cell());
        const int64_t br = r + s.dy[cell_tap], bc = c + s.dx[cell_tap];
        for (int64_t j = 0; j < s.hidden; ++j) {
          const auto value = [&](int64_t part) { return static_cast<double>(gate(at, part * s.hidden + j)); };
          const double i = value(0), f = value(1), o = value(2), g = value(3);
          const double t = std::tanh(static_cast<double>(cell(at, j)));
          const double before = s.inside(br, bc) ? static_cast<double>(cell(s.row(n, br, bc), j)) : 0;
          const double d = dh[static_cast<size_t>(at * s.hidden + j)];
          const double dcell = dc[static_cast<size_t>(at * s.hidden + j)] + d * o * (1 - t * t);
          const double parts[4] = {dcell * g * i * (1 - i), dcell * before * f * (1 - f), d * t * o * (1 - o), dcell * i * (1 - g * g)};
          for (int64_t part = 0; part < 4; ++part)
            d_gates(at - s.shift * s.width, part * s.hidden + j) = static_cast<T>(parts[part]);
          if (s.inside(br, bc)) dc[static_cast<size_t>(s.row(n, br, bc) * s.hidden + j)] += dcell * f;
        }
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          const auto q = static_cast<size_t>(tap);
          if (!s.inside(r + s.dy[q], c + s.dx[q])) continue;
          for (int64_t u = 0; u < s.hidden; ++u) {
            double sum = 0;
            for (int64_t j = 0; j < 4 * s.hidden; ++j)
              sum += static_cast<double>(w(j, tap * s.hidden + u)) * static_cast<double>(d_gates(at - s.shift * s.width, j));
            dh[static_cast<size_t>(s.row(n, r + s.dy[q], c + s.dx[q]) * s.hidden + u)] += sum;
          }
        }
      }
    }
  });
}

}  // namespace flow::reference
