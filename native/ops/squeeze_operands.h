// What squeeze reads of its operands and attributes, on either device: height, width, channels (before), back (0 or 1).
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

struct SqueezeShape {
  int64_t height, width, channels;
  bool back;
};

inline bool read_squeeze(const Call& call, SqueezeShape& s) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, y, x, "output");
  FLOW_CHECK_SAME_DTYPE(call, y, x, "output");
  for (int i = 0; i < 3; ++i)
    FLOW_CHECK(call, call.attr[i] >= 1 && call.attr[i] <= 1e6, "attribute %d: expected 1 or more, got %g", i, call.attr[i]);
  s = {call.int_attr(0), call.int_attr(1), call.int_attr(2), call.attr[3] == 1};
  FLOW_CHECK(call, s.height % 2 == 0 && s.width % 2 == 0, "image: expected an even height and width, got %lld × %lld", ll(s.height),
             ll(s.width));
  const int64_t cols = s.height * s.width * s.channels;
  FLOW_CHECK(call, cols == x.cols, "x: expected %lld columns for %lld × %lld × %lld, got %lld", ll(cols), ll(s.height), ll(s.width),
             ll(s.channels), ll(x.cols));
  return true;
}

}  // namespace flow::FLOW_ISA
