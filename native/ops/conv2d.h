// What the convolution ops share: the geometry in their attributes, and its check against the operands.
//
// attributes: height, width, taps of the whole kernel, activation, its parameter, then three numbers a live tap: its
// place in the kernel (which block of inputs columns of the weight), dy, dx. Tap (dy, dx) of the pixel (h, w) reads the
// pixel (h + dy, w + dx), or zeros outside of the image.
#pragma once
#include "ops/linear.h"
#include "simd/conv.h"

namespace flow::FLOW_ISA {

inline constexpr int conv_header = 5;

inline bool whole_between(double value, double low, double high) {
  return value >= low && value <= high && value == static_cast<double>(static_cast<int64_t>(value));
}

// The geometry in the attributes from `at` on, of `live` taps, which are written to `taps`. Pixels are `rows`; the weight is
// [outputs, kernel taps · inputs].
inline bool read_conv(const Call& call, int at, int64_t live, int64_t rows, int64_t outputs, int64_t weight_cols,
                      ConvTap* taps, ConvShape& shape) {
  const double height = call.attr[at], width = call.attr[at + 1], blocks = call.attr[at + 2];
  constexpr double most = 1 << 30;
  FLOW_CHECK(call, whole_between(height, 1, most) && whole_between(width, 1, most),
             "image: expected height and width from 1, got %g × %g", height, width);
  FLOW_CHECK(call, whole_between(blocks, 1, most), "taps: expected from 1, got %g", blocks);
  shape.height = static_cast<int64_t>(height);
  shape.width = static_cast<int64_t>(width);
  shape.blocks = static_cast<int64_t>(blocks);
  const int64_t pixels = shape.height * shape.width;
  FLOW_CHECK(call, rows % pixels == 0, "rows: expected a multiple of height·width = %lld, got %lld",
             static_cast<long long>(pixels), static_cast<long long>(rows));
  FLOW_CHECK(call, weight_cols % shape.blocks == 0, "weight: expected a multiple of %lld columns, one block a tap, got %lld",
             static_cast<long long>(shape.blocks), static_cast<long long>(weight_cols));
  shape.images = rows / pixels;
  shape.inputs = weight_cols / shape.blocks;
  shape.outputs = outputs;
  shape.live = live;
  int64_t before = -1;
  for (int64_t t = 0; t < live; ++t) {
    const double* attr = call.attr + at + conv_header + 3 * t;
    FLOW_CHECK(call, whole_between(attr[0], static_cast<double>(before + 1), blocks - 1),
               "tap %lld: expected a place in the kernel above %lld and below %g, got %g", static_cast<long long>(t),
               static_cast<long long>(before), blocks, attr[0]);
    FLOW_CHECK(call, whole_between(attr[1], -most, most) && whole_between(attr[2], -most, most),
               "tap %lld: expected whole steps, got (%g, %g)", static_cast<long long>(t), attr[1], attr[2]);
    before = static_cast<int64_t>(attr[0]);
    taps[t] = {static_cast<int32_t>(attr[0]), static_cast<int32_t>(attr[1]), static_cast<int32_t>(attr[2])};
  }
  shape.taps = taps;
  return true;
}

// Room for `count` taps, in scratch slot 7.
inline ConvTap* tap_space(int64_t count) {
  return static_cast<ConvTap*>(scratch(static_cast<size_t>(max_of(1, count)) * sizeof(ConvTap), 7));
}

// The geometry of an op that has one.
inline bool read_conv(const Call& call, int64_t rows, int64_t outputs, int64_t weight_cols, ConvShape& shape) {
  FLOW_CHECK(call, call.n_attr >= conv_header && (call.n_attr - conv_header) % 3 == 0,
             "attributes: expected height, width, taps, activation, parameter and three numbers a live tap, got %d numbers",
             call.n_attr);
  const int64_t live = (call.n_attr - conv_header) / 3;
  return read_conv(call, 0, live, rows, outputs, weight_cols, tap_space(live), shape);
}

}  // namespace flow::FLOW_ISA
