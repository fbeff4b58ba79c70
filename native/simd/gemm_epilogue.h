// The part of an epilogue that the micro-kernel does not do in registers: a pass over a block of C that is
// still in the first-level cache.
#pragma once

#include "gemm.h"
#include "math.h"

namespace flow::FLOW_ISA {

template <class V>
FLOW_INLINE V activate(Activation act, V z, lane_t<V> param) {
  switch (act) {
    case Activation::none: return z;
    case Activation::relu: return max(V(0), z);
    case Activation::tanh: return tanh(z);
    case Activation::sigmoid: return sigmoid(z);
    case Activation::elu: return select(z > V(0), z, V(param) * expm1(z));
    case Activation::leaky_relu: return select(z > V(0), z, V(param) * z);
    case Activation::softplus: return softplus(z);
    case Activation::gelu: return gelu(z);
  }
  return z;
}

/** d act/dz written in y = act(z); y itself where there is no such form. */
template <class V>
FLOW_INLINE V gate_factor(Activation act, V y, lane_t<V> param) {
  switch (act) {
    case Activation::relu: return select(y > V(0), V(1), V(0));
    case Activation::tanh: return V(1) - y * y;
    case Activation::sigmoid: return y * (V(1) - y);
    case Activation::elu: return select(y > V(0), V(1), y + V(param));
    case Activation::leaky_relu: return select(y > V(0), V(1), V(param));
    case Activation::softplus: return -expm1(-y);
    case Activation::none:
    case Activation::gelu: return y;
  }
  return y;
}

/** C = act(C (+ bias)) (⊙ factor of gate) for a block; bias, gate and C point at its first element. */
template <class T>
FLOW_NOINLINE void finish_block(int64_t rows, int64_t columns, T* c, int64_t ldc, const T* bias, Activation act,
                                T act_param, const T* gate, int64_t gate_ld, Activation gate_act, T gate_param) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t r = 0; r < rows; ++r) {
    T* out = c + r * ldc;
    const T* y = gate ? gate + r * gate_ld : nullptr;
    // One register at a time with the choice of the function outside of the loop over columns.
    const auto pass = [&](auto function) FLOW_INLINE_LAMBDA {
      int64_t n = 0;
      for (; n + w <= columns; n += w) {
        store(out + n, function(load<V>(out + n), n, w));
      }
      if (n < columns) {
        const int left = static_cast<int>(columns - n);
        store_partial(out + n, function(load_partial<V>(out + n, left), n, left), left);
      }
    };
    const auto read = [](const T* p, int live) FLOW_INLINE_LAMBDA {
      return live == w ? load<V>(p) : load_partial<V>(p, live);
    };
    if (bias) pass([&](V z, int64_t n, int live) FLOW_INLINE_LAMBDA { return z + read(bias + n, live); });
#define FLOW_CASE(a)                                                                               \
  case Activation::a:                                                                              \
    pass([&](V z, int64_t, int) FLOW_INLINE_LAMBDA { return activate(Activation::a, z, act_param); }); \
    break;
    switch (act) {
      case Activation::none: break;
      FLOW_CASE(relu)
      FLOW_CASE(tanh)
      FLOW_CASE(sigmoid)
      FLOW_CASE(elu)
      FLOW_CASE(leaky_relu)
      FLOW_CASE(softplus)
      FLOW_CASE(gelu)
    }
#undef FLOW_CASE
    if (!y) continue;
#define FLOW_CASE(a)                                                                               \
  case Activation::a:                                                                              \
    pass([&](V z, int64_t n, int live) FLOW_INLINE_LAMBDA {                                        \
      return z * gate_factor(Activation::a, read(y + n, live), gate_param);                        \
    });                                                                                            \
    break;
    switch (gate_act) {
      case Activation::relu:
        // A choice, not a product: 0·inf must be 0 here as it is where a ReLU is differentiated.
        pass([&](V z, int64_t n, int live) FLOW_INLINE_LAMBDA {
          return select(read(y + n, live) > V(0), z, V(0));
        });
        break;
      FLOW_CASE(tanh)
      FLOW_CASE(sigmoid)
      FLOW_CASE(elu)
      FLOW_CASE(leaky_relu)
      FLOW_CASE(softplus)
      FLOW_CASE(none)
      FLOW_CASE(gelu)
    }
#undef FLOW_CASE
  }
}

}  // namespace flow::FLOW_ISA
