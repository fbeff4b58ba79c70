// What channel_affine and its gradient share. A matrix of few columns is read as one of fewer, longer rows: so that twelve
// channels fill the registers, their parameters are laid side by side as often as rows are joined.
#pragma once
#include "ops/channel_affine_operands.h"
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {

// Rows joined to one: by the sizes only, and at most `room` columns.
inline int64_t joined_rows(int64_t rows, int64_t cols, int64_t room = 1024) {
  int64_t joined = 1;
  while (joined < 64 && rows % (2 * joined) == 0 && 2 * joined * cols <= room) joined *= 2;
  return joined;
}

// Element i of a contiguous vector of float32 or float64.
inline double number_at(const Operand& v, int64_t i) {
  return v.dtype == DType::f32 ? static_cast<double>(v.as<float>()[i]) : v.as<double>()[i];
}

}  // namespace flow::FLOW_ISA
