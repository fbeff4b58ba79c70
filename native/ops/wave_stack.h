// What wave_stack, its gradient and wave_generate share.
#pragma once
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "simd/wave_stack.h"
// After the checks that it calls.
#include "ops/wave_operands.h"

namespace flow::FLOW_ISA {

template <class T>
inline WaveMatrix<T> wave_matrix(const Operand& operand) {
  return {operand.as<T>(), operand.ld};
}

template <class T>
inline WaveLayer<T>* wave_layers(const WaveShape& v) {
  return static_cast<WaveLayer<T>*>(scratch(static_cast<size_t>(v.layers) * (sizeof(WaveLayer<T>) + sizeof(WaveGradient<T>)), 7));
}

}  // namespace flow::FLOW_ISA
