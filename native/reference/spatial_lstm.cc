// spatial_lstm: i, f, o = σ, g = tanh of the inputs + Σ over taps of weight · state; c = f·c₋ + i·g, h = o·tanh(c).
#include "reference/spatial_lstm.h"

namespace flow::reference {

bool spatial_lstm(const Call& call) {
  const Operand &gates = call.in[0], &weight = call.in[1], &h = call.out[0], &kept = call.out[1], &cells = call.out[2];
  const Scan s(call, weight);
  FLOW_AGREE(call, s.fits(weight, gates.rows) && is(gates, gates.rows, 4 * s.hidden, h.dtype) &&
                       is(weight, weight.rows, weight.cols, h.dtype) && is(h, gates.rows, s.hidden, h.dtype));
  FLOW_AGREE(call, kept.absent() ? cells.absent() : like(kept, gates) && like(cells, h));
  return for_float(call, gates.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> z(gates), w(weight), state(h), after(kept), cell(cells);
    std::vector<double> c_of(static_cast<size_t>(h.rows * s.hidden), 0.0), all(static_cast<size_t>(4 * s.hidden));
    for (int64_t n = 0; n < gates.rows / (s.height * s.width); ++n) {
      for (int64_t k = 0; k < s.height * s.width; ++k) {
        int64_t r, c;
        s.pixel(k, r, c);
        const int64_t at = s.row(n, r, c);
        for (int64_t j = 0; j < 4 * s.hidden; ++j) {
          if (!s.inside(r, c)) {
            all[static_cast<size_t>(j)] = 0;
            continue;
          }
          double sum = static_cast<double>(z(at - s.shift * s.width, j));
          for (int64_t t = 0; t < s.taps(); ++t) {
            const auto q = static_cast<size_t>(t);
            if (!s.inside(r + s.dy[q], c + s.dx[q])) continue;
            for (int64_t u = 0; u < s.hidden; ++u)
              sum += static_cast<double>(w(j, t * s.hidden + u)) * static_cast<double>(state(s.row(n, r + s.dy[q], c + s.dx[q]), u));
          }
          all[static_cast<size_t>(j)] = j < 3 * s.hidden ? sigmoid(sum) : std::tanh(sum);
        }
        const auto cell_tap = static_cast<size_t>(s.cell());
        for (int64_t j = 0; j < s.hidden; ++j) {
          const auto gate = [&](int64_t part) { return all[static_cast<size_t>(part * s.hidden + j)]; };
          const int64_t br = r + s.dy[cell_tap], bc = c + s.dx[cell_tap];
          const double before = s.inside(br, bc) ? c_of[static_cast<size_t>(s.row(n, br, bc) * s.hidden + j)] : 0;
          const double now = gate(1) * before + gate(0) * gate(3);
          c_of[static_cast<size_t>(at * s.hidden + j)] = now;
          state(at, j) = static_cast<T>(gate(2) * std::tanh(now));
          if (kept.absent()) continue;
          cell(at, j) = static_cast<T>(now);
          for (int64_t part = 0; part < 4; ++part) after(at, part * s.hidden + j) = static_cast<T>(gate(part));
        }
      }
    }
  });
}

}  // namespace flow::reference
