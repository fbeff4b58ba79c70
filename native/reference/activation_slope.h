// The activations with two derivatives, by <cmath>, in float64.
#pragma once
#include "reference/functions.h"

namespace flow::reference {

struct Smooth {
  double value, slope, curvature, value_by_beta, slope_by_beta;
};

inline Smooth smooth_at(int kind, double z, double beta) {
  if (kind == 0) {
    const double s = sigmoid(beta * z), ds = s * sigmoid(-beta * z), dds = ds * (1 - 2 * s);
    return {z * s / 1.1, (s + beta * z * ds) / 1.1, (2 * beta * ds + beta * beta * z * dds) / 1.1, z * z * ds / 1.1,
            (2 * z * ds + beta * z * z * dds) / 1.1};
  }
  if (kind == 1) {
    const double e = std::exp(z);
    return {z > 0 ? z : std::expm1(z), z > 0 ? 1 : e, z > 0 ? 0 : e, 0, 0};
  }
  if (kind == 2) {
    const double y = std::tanh(z);
    return {y, 1 - y * y, -2 * y * (1 - y * y), 0, 0};
  }
  const double s = sigmoid(z);
  return {softplus(z), s, s * (1 - s), 0, 0};
}

}  // namespace flow::reference
