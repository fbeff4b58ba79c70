// wave_stack: the layers one by one, sums in float64; see wave_stack.h.
#include "reference/wave_stack.h"

namespace flow::reference {

bool wave_stack(const Call& call) {
  const Operand &in = call.in[0], &condition = call.in[1], &out = call.out[0];
  Wave w{};
  if (!read_wave(call, in, condition, 2, 4, 2, w)) return false;
  FLOW_AGREE(call, call.n_out == 2 * w.layers && is(out, w.rows, w.S, in.dtype));
  for (int64_t l = 0; l < w.layers; ++l) {
    const Operand &gates = call.out[1 + l], &b = w.in(l, 1), &bo = w.in(l, 3);
    FLOW_AGREE(call, gates.absent() || is(gates, w.rows, 2 * w.G, in.dtype));
    FLOW_AGREE(call, is(b, 1, 2 * w.G, in.dtype) && is(bo, 1, w.outputs(l), in.dtype));
    if (l > 0) FLOW_AGREE(call, call.out[w.layers + l].absent() || is(call.out[w.layers + l], w.rows, w.R, in.dtype));
  }
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    WaveTable h(w.rows, w.R), skip(w.rows, w.S);
    for (int64_t p = 0; p < w.rows; ++p)
      for (int64_t i = 0; i < w.R; ++i) h(p, i) = Matrix<T>(in)(p, i);
    for (int64_t l = 0; l < w.layers; ++l) {
      const Matrix<T> W(w.in(l, 0)), Wo(w.in(l, 2)), c(condition);
      const Vector<T> b(w.in(l, 1)), bo(w.in(l, 3));
      WaveTable next = h, g(1, w.G);
      for (int64_t p = 0; p < w.rows; ++p) {
        const int64_t d = w.dilation(l);
        auto z = [&](int64_t o) {
          double sum = b(o);
          for (int64_t i = 0; i < w.R; ++i) {
            if (p % w.length >= d) sum += W(o, i) * h(p - d, i);
            sum += W(o, w.R + i) * h(p, i);
          }
          for (int64_t i = 0; i < w.C; ++i) sum += W(o, 2 * w.R + i) * c(p, i);
          return sum;
        };
        for (int64_t i = 0; i < w.G; ++i) {
          const double t = std::tanh(z(i)), s = 1 / (1 + std::exp(-z(w.G + i)));
          g(0, i) = t * s;
          if (call.out[1 + l].absent()) continue;
          const Matrix<T> gates(call.out[1 + l]);
          gates(p, i) = static_cast<T>(t);
          gates(p, w.G + i) = static_cast<T>(s);
        }
        for (int64_t o = 0; o < w.outputs(l); ++o) {
          double sum = bo(o);
          for (int64_t i = 0; i < w.G; ++i) sum += Wo(o, i) * g(0, i);
          (o < w.S ? skip(p, o) : next(p, o - w.S)) += sum;
        }
      }
      h = next;
      if (l + 1 == w.layers || call.out[w.layers + l + 1].absent()) continue;
      const Matrix<T> kept(call.out[w.layers + l + 1]);
      for (int64_t p = 0; p < w.rows; ++p)
        for (int64_t i = 0; i < w.R; ++i) kept(p, i) = static_cast<T>(h(p, i));
    }
    const Matrix<T> sum(out);
    for (int64_t p = 0; p < w.rows; ++p)
      for (int64_t o = 0; o < w.S; ++o) sum(p, o) = static_cast<T>(skip(p, o));
  });
}

}  // namespace flow::reference
