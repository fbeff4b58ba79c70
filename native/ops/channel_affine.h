// What channel_affine and its gradient share. A matrix of few columns is read as one of fewer, longer rows: so that twelve
// channels fill the registers, their parameters are laid side by side as often as rows are joined.
#pragma once
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

inline bool is_channel_vector(const Operand& v, int64_t cols) {
  return v.count() == cols && v.contiguous() && (v.dtype == DType::f32 || v.dtype == DType::f64);
}

// Attributes inverse (0 or 1) and positions, and the samples that the rows of x are.
#define FLOW_CHECK_CHANNEL_AFFINE(call, x, samples)                                                                    \
  do {                                                                                                                 \
    FLOW_CHECK(call, (call).attr[0] == 0 || (call).attr[0] == 1, "inverse: expected 0 or 1, got %g", (call).attr[0]);  \
    FLOW_CHECK(call, (call).attr[1] >= 1 && (call).attr[1] <= 1e15, "positions: expected 1 or more, got %g",           \
               (call).attr[1]);                                                                                        \
    FLOW_CHECK(call, (samples).absent() || ((samples).dtype == DType::f64 && (samples).contiguous() &&                 \
                                            (samples).count() * (call).int_attr(1) == (x).rows),                       \
               "log_det: expected float64 with one value for each %lld of %lld rows, got %s %lld × %lld",              \
               ll((call).int_attr(1)), ll((x).rows), name_of((samples).dtype), ll((samples).rows), ll((samples).cols)); \
    for (int i = 1; i < 3; ++i)                                                                                        \
      FLOW_CHECK(call, is_channel_vector((call).in[i], (x).cols),                                                      \
                 "input %d: expected %lld floats side by side, got %s %lld × %lld", i, ll((x).cols),                   \
                 name_of((call).in[i].dtype), ll((call).in[i].rows), ll((call).in[i].cols));                           \
  } while (0)

}  // namespace flow::FLOW_ISA
