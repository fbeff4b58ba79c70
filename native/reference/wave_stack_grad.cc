// wave_stack_grad: the layers from the last to the first, gradients between them in float64.
#include "reference/wave_stack.h"

namespace flow::reference {

bool wave_stack_grad(const Call& call) {
  const Operand &by = call.in[0], &x = call.in[1], &condition = call.in[2];
  Wave w{};
  if (!read_wave(call, x, condition, 3, 4, 1, w)) return false;
  FLOW_AGREE(call, call.n_out == 2 + 4 * w.layers && is(by, w.rows, w.S, x.dtype));
  FLOW_AGREE(call, call.out[0].absent() || like(call.out[0], x));
  FLOW_AGREE(call, call.out[1].absent() || (w.C > 0 && like(call.out[1], condition)));
  for (int64_t l = 0; l < w.layers; ++l) {
    const Operand* out = call.out + 2 + 4 * l;
    FLOW_AGREE(call, (out[0].absent() || like(out[0], w.in(l, 0))) && (out[1].absent() || is(out[1], 1, 2 * w.G, x.dtype)));
    FLOW_AGREE(call, (out[2].absent() || like(out[2], w.in(l, 1))) && (out[3].absent() || is(out[3], 1, w.outputs(l), x.dtype)));
    FLOW_AGREE(call, is(w.in(l, 2), w.rows, 2 * w.G, x.dtype) && (l == 0 || is(w.in(l, 3), w.rows, w.R, x.dtype)));
  }
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto write = [](const Operand& to, WaveTable& from) {
      if (to.absent()) return;
      const Matrix<T> out(to);
      for (int64_t r = 0; r < from.rows; ++r)
        for (int64_t c = 0; c < from.cols; ++c) out(r, c) = static_cast<T>(from(r, c));
    };
    const Matrix<T> d_skip(by), c(condition);
    WaveTable dh(w.rows, w.R), dc(w.rows, w.C);  // by what the layer gives on, by the condition
    for (int64_t l = w.layers; l-- > 0;) {
      const Matrix<T> W(w.in(l, 0)), Wo(w.in(l, 1)), gates(w.in(l, 2)), h(l == 0 ? x : w.in(l, 3));
      const int64_t d = w.dilation(l), outputs = w.outputs(l);
      WaveTable dW(2 * w.G, 2 * w.R + w.C), db(1, 2 * w.G), dWo(outputs, w.G), dbo(1, outputs), below = dh;
      for (int64_t p = 0; p < w.rows; ++p) {
        const bool inside = p % w.length >= d;
        WaveTable dz(1, 2 * w.G);
        for (int64_t i = 0; i < w.G; ++i) {
          const double t = gates(p, i), s = gates(p, w.G + i);
          double dg = 0;
          for (int64_t o = 0; o < outputs; ++o) {
            const double d_out = o < w.S ? static_cast<double>(d_skip(p, o)) : dh(p, o - w.S);
            dg += d_out * Wo(o, i);
            dWo(o, i) += d_out * t * s;
          }
          dz(0, i) = dg * s * (1 - t * t);
          dz(0, w.G + i) = dg * t * s * (1 - s);
        }
        for (int64_t o = 0; o < outputs; ++o) dbo(0, o) += o < w.S ? static_cast<double>(d_skip(p, o)) : dh(p, o - w.S);
        for (int64_t o = 0; o < 2 * w.G; ++o) {
          db(0, o) += dz(0, o);
          for (int64_t i = 0; i < w.R; ++i) {
            dW(o, w.R + i) += dz(0, o) * h(p, i);
            below(p, i) += dz(0, o) * W(o, w.R + i);
            if (!inside) continue;
            dW(o, i) += dz(0, o) * h(p - d, i);
            below(p - d, i) += dz(0, o) * W(o, i);
          }
          for (int64_t i = 0; i < w.C; ++i) {
            dW(o, 2 * w.R + i) += dz(0, o) * c(p, i);
            dc(p, i) += dz(0, o) * W(o, 2 * w.R + i);
          }
        }
      }
      const Operand* out = call.out + 2 + 4 * l;
      write(out[0], dW);
      write(out[1], db);
      write(out[2], dWo);
      write(out[3], dbo);
      dh = below;
    }
    write(call.out[0], dh);
    write(call.out[1], dc);
  });
}

}  // namespace flow::reference
