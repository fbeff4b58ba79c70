// scale_weights_grad: backward of scale_weights, for all layers of a model in one call. With D = dL_dscaled weight, t = v_o·D_o and the
// scales s = e·g of ops/scale_weights.h:
//   dL_dv_o = s·(D_o − v_o·t/‖v_o‖²), without gain s·D_o; dL_dgain_o = e·t/‖v_o‖
//   dL_dbias_o = e·dL_dscaled bias_o; dL_dlog_scale_o = factor·(s·t + bias_o·dL_dbias_o)
// in: for each layer weight, bias, log_scale, gain as in scale_weights, dL_dscaled weight, dL_dscaled bias or absent (0); out: for each
// dL_dweight, and dL_dbias, dL_dlog_scale, dL_dgain or absent; attributes: factor of log_scale.
#include "ops/scale_weights.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void differentiate_row(const ScaledLayer& layer, const Operand* d, const Operand* out, int64_t o) {
  const int64_t cols = layer.weight->cols;
  const T* v = layer.weight->as<T>() + o * layer.weight->ld;
  const T* dw = d[0].as<T>() + o * d[0].ld;
  T* dv = out[0].as<T>() + o * out[0].ld;
  const bool normed = !layer.gain->absent();
  const double outer = layer.outer<T>(o);
  double scale = outer;
  const double dot = normed || !out[2].absent() ? row_dot(v, dw, cols) : 0;
  if (normed) {
    const double squares = row_dot(v, v, cols), norm = sqrt(squares);
    scale *= static_cast<double>(layer.gain->as<T>()[o]) / norm;
    const Vec<T> s(static_cast<T>(scale)), along(static_cast<T>(-scale * dot / squares));
    for_lanes<Vec<T>>(cols, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
      store_live(dv + i, fma(along, load_live(v + i, live), s * load_live(dw + i, live)), live);
    });
    if (!out[3].absent()) out[3].as<T>()[o] = static_cast<T>(outer * dot / norm);
  } else {
    const Vec<T> s(static_cast<T>(scale));
    for_lanes<Vec<T>>(cols, [&](int64_t i, int live) FLOW_INLINE_LAMBDA { store_live(dv + i, s * load_live(dw + i, live), live); });
  }
  double beside = d[1].absent() ? 0 : outer * static_cast<double>(d[1].as<T>()[o]);
  if (!out[1].absent()) out[1].as<T>()[o] = static_cast<T>(beside);
  if (out[2].absent()) return;
  beside = layer.bias->absent() ? 0 : beside * static_cast<double>(layer.bias->as<T>()[o]);
  out[2].as<T>()[o] = static_cast<T>(layer.factor * (scale * dot + beside));
}

bool scale_weights_grad(const Call& call) {
  int n = 0;
  if (!check_scale_weights_grad(call, n)) return false;
  for_weight_rows(call.in, 6, n, [&](int k, int64_t o) {
    const ScaledLayer layer(call.in + 6 * k, call.attr[0]);
    if (layer.weight->dtype == DType::f32)
      differentiate_row<float>(layer, call.in + 6 * k + 4, call.out + 4 * k, o);
    else
      differentiate_row<double>(layer, call.in + 6 * k + 4, call.out + 4 * k, o);
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(scale_weights_grad) = {"scale_weights_grad", scale_weights_grad, 6, 4096, -1, 1};

}  // namespace flow::FLOW_ISA
