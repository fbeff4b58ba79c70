// The sizes of the residual layers of a WaveNet.
#pragma once
#include <stdint.h>

namespace flow::FLOW_ISA {

inline constexpr int64_t most_wave_layers = 512;

struct WaveShape {
  int64_t rows, length;
  int64_t channels;   // R
  int64_t gated;      // G
  int64_t skips;      // S
  int64_t condition;  // C, perhaps 0
  int64_t layers;

  int64_t inputs() const { return 2 * channels + condition; }
  // Outputs of layer l behind the gate.
  int64_t outputs(int64_t l) const { return l + 1 < layers ? skips + channels : skips; }
};

}  // namespace flow::FLOW_ISA
