// What wavefront_solve reads of its operands and attributes, on either device.
//
// in: y [images·height·width, C], weight [C, kernel taps·C]; out: x; attributes: a, b, lower (1: channel o sees i ≤ o of its own pixel),
// transpose, then ops/conv2d_operands.h.
#pragma once
#include "ops/conv2d_operands.h"

namespace flow::FLOW_ISA {

inline constexpr int wavefront_attributes = 4;

/** read(at, live) reads the convolution to wave.shape; tap(t) is one of its taps. */
template <class Wave, class Read, class Tap>
bool read_wavefront(const Call& call, Wave& wave, const Read& read, const Tap& tap) {
  const Operand &y = call.in[0], &weight = call.in[1], &x = call.out[0];
  constexpr double most = 1 << 15;
  FLOW_CHECK(call, call.n_attr >= wavefront_attributes + conv_header && (call.n_attr - wavefront_attributes - conv_header) % 3 == 0,
             "attributes: expected direction, triangle, transpose and a geometry, got %d numbers", call.n_attr);
  FLOW_CHECK(call, whole_between(call.attr[0], -most, most) && whole_between(call.attr[1], -most, most),
             "direction: expected whole numbers, got (%g, %g)", call.attr[0], call.attr[1]);
  wave.a = call.int_attr(0), wave.b = call.int_attr(1);
  wave.lower = call.attr[2] != 0, wave.transpose = call.attr[3] != 0;
  const int64_t live = (call.n_attr - wavefront_attributes - conv_header) / 3;
  if (!read(wavefront_attributes, live) || !check_shape(call, weight, "weight", y.cols, wave.shape.blocks * y.cols, y.dtype) ||
      !check_shape(call, x, "x", y.rows, y.cols, y.dtype))
    return false;
  wave.centre = -1;
  for (int t = 0; t < static_cast<int>(live); ++t) {
    const auto& own = tap(t);
    if (own.dy == 0 && own.dx == 0) {
      FLOW_CHECK(call, wave.centre < 0, "taps: expected the own pixel once, got it at %d and %d", static_cast<int>(wave.centre), t);
      wave.centre = t;
      continue;
    }
    FLOW_CHECK(call, wave.a * own.dy + wave.b * own.dx < 0, "tap (%d, %d): expected a step back along (%lld, %lld)", own.dy, own.dx,
               ll(wave.a), ll(wave.b));
  }
  FLOW_CHECK(call, wave.centre >= 0, "taps: expected the own pixel among them, got %lld others", ll(live));
  return true;
}

}  // namespace flow::FLOW_ISA
