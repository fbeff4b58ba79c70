// The activations of a linear layer and their derivatives, one number at a time.
#pragma once
#include "cuda/core/scalar.h"
#include "math/activation.h"

namespace flow::cuda {

template <Activation act, class T>
__device__ __forceinline__ T activate(T z, [[maybe_unused]] T param) {
  if constexpr (act == Activation::relu) return max(T(0), z);
  if constexpr (act == Activation::tanh) return tanh(z);
  if constexpr (act == Activation::sigmoid) return sigmoid(z);
  if constexpr (act == Activation::elu) return z > T(0) ? z : param * expm1(z);
  if constexpr (act == Activation::leaky_relu) return z > T(0) ? z : param * z;
  if constexpr (act == Activation::softplus) return softplus(z);
  if constexpr (act == Activation::gelu) {
    const T half = T(0.5) * z;
    return fma(half, erf(z * T(0.70710678118654752)), half);
  }
  return z;
}

/** d·act'(z), with act' written in y = act(z). A ReLU chooses: 0·inf would be NaN. */
template <Activation act, class T>
__device__ __forceinline__ T gated(T d, [[maybe_unused]] T y, [[maybe_unused]] T param) {
  if constexpr (act == Activation::relu) return y > T(0) ? d : T(0);
  if constexpr (act == Activation::tanh) return d * (T(1) - y * y);
  if constexpr (act == Activation::sigmoid) return d * (y * (T(1) - y));
  if constexpr (act == Activation::elu) return d * (y > T(0) ? T(1) : y + param);
  if constexpr (act == Activation::leaky_relu) return d * (y > T(0) ? T(1) : param);
  if constexpr (act == Activation::softplus) return d * -expm1(-y);
  return d;
}

template <Activation act>
struct ActivationTag {
  static constexpr Activation value = act;
};
/** body(ActivationTag<act>{}) for the activation, if it is one that does something. */
template <class F>
__device__ __forceinline__ void with_activation(Activation act, const F& body) {
  switch (act) {
    case Activation::none: return;
    case Activation::relu: return body(ActivationTag<Activation::relu>{});
    case Activation::tanh: return body(ActivationTag<Activation::tanh>{});
    case Activation::sigmoid: return body(ActivationTag<Activation::sigmoid>{});
    case Activation::elu: return body(ActivationTag<Activation::elu>{});
    case Activation::leaky_relu: return body(ActivationTag<Activation::leaky_relu>{});
    case Activation::softplus: return body(ActivationTag<Activation::softplus>{});
    case Activation::gelu: return body(ActivationTag<Activation::gelu>{});
  }
}
/** The same, known when the kernel runs. */
template <class T>
__device__ __forceinline__ T activate_any(Activation act, T z, T param) {
  T y = z;
  with_activation(act, [&](auto tag) { y = activate<decltype(tag)::value>(z, param); });
  return y;
}
template <class T>
__device__ __forceinline__ T gated_any(Activation act, T d, T y, T param) {
  T gradient = d;
  with_activation(act, [&](auto tag) { gradient = gated<decltype(tag)::value>(d, y, param); });
  return gradient;
}

}  // namespace flow::cuda
