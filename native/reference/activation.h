// The activations of the linear ops by <cmath>, in the order of their codes.
#pragma once
#include "reference/functions.h"

namespace flow::reference {

enum class Activation : int { none, relu, tanh, sigmoid, elu, leaky_relu, softplus, gelu, count };

inline bool is_activation(double code) {
  return code >= 0 && code < static_cast<double>(Activation::count) && code == std::floor(code);
}

inline double activate(Activation act, double z, double param) {
  switch (act) {
    case Activation::relu: return z < 0 ? 0 : z;
    case Activation::tanh: return std::tanh(z);
    case Activation::sigmoid: return sigmoid(z);
    case Activation::elu: return z > 0 ? z : param * std::expm1(z);
    case Activation::leaky_relu: return z > 0 ? z : param * z;
    case Activation::softplus: return softplus(z);
    case Activation::gelu: return z * 0.5 * std::erfc(-z / std::sqrt(2.0));
    default: return z;
  }
}

// act'(z) written in y = act(z).
inline double slope_of(Activation act, double y, double param) {
  switch (act) {
    case Activation::relu: return y > 0 ? 1 : 0;
    case Activation::tanh: return (1 - y) * (1 + y);
    case Activation::sigmoid: return y * (1 - y);
    case Activation::elu: return y > 0 ? 1 : y + param;
    case Activation::leaky_relu: return y > 0 ? 1 : param;
    case Activation::softplus: return -std::expm1(-y);
    default: return 1;
  }
}

// d act'(z)/dy, where act'(z) is written in y.
inline double second_slope_of(Activation act, double y) {
  switch (act) {
    case Activation::tanh: return -2 * y;
    case Activation::sigmoid: return 1 - 2 * y;
    case Activation::elu: return y > 0 ? 0 : 1;
    case Activation::softplus: return std::exp(-y);
    default: return 0;
  }
}

}  // namespace flow::reference
