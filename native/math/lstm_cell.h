// A cell of an LSTM (Hochreiter, Schmidhuber 1997; with the gates of van den Oord et al. 2016, "Pixel Recurrent Neural
// Networks", eq. 3):
//
//   i, f, o = σ(·), g = tanh(·)        c = f·c₋ + i·g        h = o·tanh(c)
//
// Include after the functions of V (simd/math.h on a CPU).
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

template <class V>
struct LstmGates {
  V i, f, o, g;
};

/** The gates of their inputs. */
template <class V>
FLOW_FORMULA LstmGates<V> lstm_gates(V i, V f, V o, V g) {
  return {sigmoid(i), sigmoid(f), sigmoid(o), tanh(g)};
}
template <class V>
FLOW_FORMULA V lstm_cell(const LstmGates<V>& z, V before) {
  return fma(z.f, before, z.i * z.g);
}
template <class V>
FLOW_FORMULA V lstm_hidden(const LstmGates<V>& z, V c) {
  return z.o * tanh(c);
}

/**
 * Gradients by the inputs of the gates and by the cell before, of dL_dh and dL_dc; dL_dc is what later cells gave to this one.
 */
template <class V>
FLOW_FORMULA LstmGates<V> lstm_gradient(const LstmGates<V>& z, V c, V before, V dL_dh, V dL_dc, V& dL_dbefore) {
  const V t = tanh(c), one(1);
  const V d = dL_dc + dL_dh * z.o * (one - t * t);
  dL_dbefore = d * z.f;
  return {d * z.g * z.i * (one - z.i), d * before * z.f * (one - z.f), dL_dh * t * z.o * (one - z.o),
          d * z.i * (one - z.g * z.g)};
}

}  // namespace flow::FLOW_ISA
