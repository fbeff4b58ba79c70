// What spatial_lstm and its gradient read of their operands and attributes, on either device.
//
// gates [N·height·width, 4·hidden]: inputs of i, f, o, g; weight [4·hidden, taps·hidden]. Attributes: height, width, direction.
#pragma once
#include "math/spatial_lstm.h"
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline bool read_spatial_lstm(const Call& call, const Operand& weight, int64_t rows, SpatialLstm& out) {
  constexpr int64_t most = (1 << 24) - 1;
  FLOW_CHECK(call, whole_attr(call, 0, 1, most) && whole_attr(call, 1, 1, most),
             "image: expected height and width from 1, got %g × %g", call.attr[0], call.attr[1]);
  FLOW_CHECK(call, whole_attr(call, 2, 0, 2), "direction: expected 0 to 2, got %g", call.attr[2]);
  out.height = call.int_attr(0);
  out.width = call.int_attr(1);
  out.direction = static_cast<int>(call.attr[2]);
  out.shift = out.direction == 2 ? 1 : 0;
  out.taps = out.direction == 0 ? 3 : 2;
  FLOW_CHECK(call, weight.rows % 4 == 0 && weight.rows > 0 && weight.cols * 4 == out.taps * weight.rows,
             "weight: expected 4·hidden × %d·hidden, got %lld × %lld", out.taps, ll(weight.rows), ll(weight.cols));
  out.hidden = weight.rows / 4;
  FLOW_CHECK(call, rows % out.pixels() == 0, "gates: expected a multiple of %lld rows, got %lld", ll(out.pixels()), ll(rows));
  return true;
}

inline bool check_spatial_lstm(const Call& call, SpatialLstm& g) {
  const Operand &gates = call.in[0], &weight = call.in[1], &h = call.out[0], &kept = call.out[1], &cells = call.out[2];
  const int64_t rows = gates.rows;
  if (!read_spatial_lstm(call, weight, rows, g) || !check_shape(call, gates, "gates", rows, 4 * g.hidden, gates.dtype) ||
      !check_shape(call, weight, "weight", weight.rows, weight.cols, gates.dtype) ||
      !check_shape(call, h, "h", rows, g.hidden, gates.dtype))
    return false;
  FLOW_CHECK(call, kept.absent() == cells.absent(), "outputs: expected gates and cells, or neither");
  return kept.absent() || (check_shape(call, kept, "kept gates", rows, 4 * g.hidden, gates.dtype) &&
                           check_shape(call, cells, "cells", rows, g.hidden, gates.dtype));
}

inline bool check_spatial_lstm_grad(const Call& call, SpatialLstm& g) {
  const Operand &dL_dh = call.in[0], &weight = call.in[1];
  const int64_t rows = dL_dh.rows;
  return read_spatial_lstm(call, weight, rows, g) && check_shape(call, dL_dh, "dL_dh", rows, g.hidden, dL_dh.dtype) &&
         check_shape(call, weight, "weight", weight.rows, weight.cols, dL_dh.dtype) &&
         check_shape(call, call.in[2], "gates", rows, 4 * g.hidden, dL_dh.dtype) &&
         check_shape(call, call.in[3], "cells", rows, g.hidden, dL_dh.dtype) &&
         check_shape(call, call.out[0], "dL_dgates", rows, 4 * g.hidden, dL_dh.dtype);
}

}  // namespace flow::FLOW_ISA
