// The activations of a layer, by their codes.
#pragma once
#include <stdint.h>

namespace flow::FLOW_ISA {

/** Of z, with a parameter where one is named. Mirrored by lib/ops/activation.ts. */
enum class Activation : int32_t {
  none = 0,
  relu = 1,        // max(0, z), NaN stays NaN
  tanh = 2,
  sigmoid = 3,
  elu = 4,         // z > 0 ? z : α·(exp(z) − 1), α = param
  leaky_relu = 5,  // z > 0 ? z : slope·z, slope = param
  softplus = 6,    // log(1 + exp(z))
  gelu = 7,        // z·Φ(z), the exact form by erf
};
inline constexpr int activation_count = 8;

}  // namespace flow::FLOW_ISA
