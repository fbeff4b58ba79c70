// scale_weights: the weights of all layers of a model times their scales (ops/scale_weights.h), in one call.
// in: for each layer weight [O, I], bias [O], log_scale [O], gain [O] (all but the weight may be absent); out: for each weight [O, I],
// and bias [O] where there is one; attributes: factor of log_scale. The layers may be of any sizes.
#include "ops/scale_weights.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void scale_row(const ScaledLayer& layer, const Operand* out, int64_t o) {
  const int64_t cols = layer.weight->cols;
  const T* v = layer.weight->as<T>() + o * layer.weight->ld;
  T* w = out[0].as<T>() + o * out[0].ld;
  const double outer = layer.outer<T>(o);
  double scale = outer;
  if (!layer.gain->absent()) scale *= static_cast<double>(layer.gain->as<T>()[o]) / sqrt(row_dot(v, v, cols));
  const Vec<T> s(static_cast<T>(scale));
  for_lanes<Vec<T>>(cols, [&](int64_t i, int live) FLOW_INLINE_LAMBDA { store_live(w + i, s * load_live(v + i, live), live); });
  if (!layer.bias->absent()) out[1].as<T>()[o] = static_cast<T>(outer * static_cast<double>(layer.bias->as<T>()[o]));
}

bool scale_weights(const Call& call) {
  int n = 0;
  if (!check_scale_weights(call, n)) return false;
  for_weight_rows(call.in, 4, n, [&](int k, int64_t o) {
    const ScaledLayer layer(call.in + 4 * k, call.attr[0]);
    if (layer.weight->dtype == DType::f32)
      scale_row<float>(layer, call.out + 2 * k, o);
    else
      scale_row<double>(layer, call.out + 2 * k, o);
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(scale_weights) = {"scale_weights", scale_weights, 4, 4096, -1, 1};

}  // namespace flow::FLOW_ISA
