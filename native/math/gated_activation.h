// The gated activation (van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, equation 2;
// "WaveNet", 2016, equation 2):
//
//   y = tanh(a)·σ(b)        ∂y/∂a = σ(b)·(1 − tanh²a)        ∂y/∂b = tanh(a)·σ(b)·σ(−b)
//
// Include after the functions of V (simd/math.h on a CPU).
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

template <class V>
FLOW_FORMULA V gated_value(V a, V b) {
  return tanh(a) * sigmoid(b);
}

/** dL_da and dL_db of dL_dy. */
template <class V>
FLOW_FORMULA void gated_gradient(V a, V b, V dL_dy, V& dL_da, V& dL_db) {
  const V t = tanh(a), s = sigmoid(b), by_t = dL_dy * s;
  dL_da = by_t * (V(1) - t * t);
  dL_db = by_t * t * (V(1) - s);
}

}  // namespace flow::FLOW_ISA
