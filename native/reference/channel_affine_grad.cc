// channel_affine_grad: with a = exp(±log_scale), D = positions·Σ dL_dlogDet and o the shift on the way back, else 0:
//   dL_dv = d·a, forward dL_dshift = Σ d, dL_dlogScale = a·Σ d·v + D, inverse −a·Σ d and −a·Σ d·(v − o) − D.
// Inputs: v, log_scale, shift, d or absent, dL_dlogDet or absent. Outputs, each may be absent: dL_dv, dL_dlogScale,
// dL_dshift. Attributes: inverse, positions.
#include "reference/reference.h"

namespace flow::reference {

namespace {

double number(const Operand& v, int64_t i) {
  return v.dtype == DType::f32 ? Vector<float>{v}(i) : Vector<double>{v}(i);
}

void put(const Operand& out, int64_t i, double value) {
  if (out.absent()) return;
  if (out.dtype == DType::f32) Vector<float>{out}(i) = static_cast<float>(value);
  else Vector<double>{out}(i) = value;
}

}  // namespace

bool channel_affine_grad(const Call& call) {
  const Operand &in = call.in[0], &d_out = call.in[3], &d_log_det = call.in[4];
  FLOW_AGREE(call, (d_out.absent() || like(d_out, in)) && (call.out[0].absent() || like(call.out[0], in)));
  for (int i = 1; i < 3; ++i) {
    FLOW_AGREE(call, is_vector(call.in[i], in.cols, call.in[i].dtype));
    FLOW_AGREE(call, call.out[i].absent() || is_vector(call.out[i], in.cols, call.in[i].dtype));
  }
  FLOW_AGREE(call, d_log_det.absent() || is_vector(d_log_det, d_log_det.count(), DType::f64));
  const bool inverse = call.attr[0] != 0;
  double total = 0;
  if (!d_log_det.absent())
    for (int64_t n = 0; n < d_log_det.count(); ++n) total += Vector<double>(d_log_det)(n);
  total *= call.attr[1];
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> v(in), d(d_out), dv(call.out[0]);
    for (int64_t c = 0; c < v.cols; ++c) {
      const double s = number(call.in[1], c), offset = inverse ? number(call.in[2], c) : 0;
      const double a = std::exp(inverse ? -s : s);
      double plain = 0, weighted = 0;
      for (int64_t r = 0; r < v.rows; ++r) {
        const double g = d_out.absent() ? 0 : d(r, c);
        plain += g;
        weighted += g * (v(r, c) - offset);
        if (!call.out[0].absent()) dv(r, c) = static_cast<T>(g * a);
      }
      put(call.out[1], c, inverse ? -a * weighted - total : a * weighted + total);
      put(call.out[2], c, inverse ? -a * plain : plain);
    }
  });
}

}  // namespace flow::reference
