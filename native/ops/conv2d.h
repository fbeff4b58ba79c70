// What the convolution ops (ops/conv2d_operands.h) share: the geometry as simd/conv.h takes it.
#pragma once
#include "ops/linear.h"
#include "ops/conv2d_operands.h"
#include "simd/conv.h"

namespace flow::FLOW_ISA {

// The geometry in the attributes from `at` on, of `live` taps, which are written to `taps`.
inline bool read_conv(const Call& call, int at, int64_t live, int64_t rows, int64_t outputs, int64_t weight_cols,
                      ConvTap* taps, ConvShape& shape) {
  const auto put = [&](int64_t tap, int32_t place, int32_t dy, int32_t dx) { taps[tap] = {place, dy, dx}; };
  if (!read_conv_geometry(call, at, live, rows, outputs, weight_cols, 0, shape, put)) return false;
  shape.images = rows / (shape.height * shape.width);
  shape.taps = taps;
  return true;
}

// Room for `count` taps, in scratch slot 7.
inline ConvTap* tap_space(int64_t count) {
  return static_cast<ConvTap*>(scratch(static_cast<size_t>(max_of(1, count)) * sizeof(ConvTap), 7));
}

// The geometry of an op that has one.
inline bool read_conv(const Call& call, int64_t rows, int64_t outputs, int64_t weight_cols, ConvShape& shape) {
  const int64_t live = count_live_taps(call);
  return live >= 0 && read_conv(call, 0, live, rows, outputs, weight_cols, tap_space(live), shape);
}

}  // namespace flow::FLOW_ISA
