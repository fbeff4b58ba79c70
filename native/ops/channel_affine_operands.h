// What channel_affine and its gradient read of their operands and attributes, on either device.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline bool is_channel_vector(const Operand& v, int64_t cols) {
  return v.count() == cols && v.contiguous() && (v.dtype == DType::f32 || v.dtype == DType::f64);
}

/** Attributes inverse (0 or 1) and positions, in[1] and in[2], and the samples that the rows of x are. */
inline bool check_channel_parameters(const Call& call, const Operand& samples) {
  const Operand& x = call.in[0];
  FLOW_CHECK(call, call.attr[0] == 0 || call.attr[0] == 1, "inverse: expected 0 or 1, got %g", call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 1 && call.attr[1] <= 1e15, "positions: expected 1 or more, got %g", call.attr[1]);
  FLOW_CHECK(call,
             samples.absent() || (samples.dtype == DType::f64 && samples.contiguous() && samples.count() * call.int_attr(1) == x.rows),
             "log_det: expected float64 with one value for each %lld of %lld rows, got %s %lld × %lld", ll(call.int_attr(1)),
             ll(x.rows), name_of(samples.dtype), ll(samples.rows), ll(samples.cols));
  for (int i = 1; i < 3; ++i)
    FLOW_CHECK(call, is_channel_vector(call.in[i], x.cols), "input %d: expected %lld floats side by side, got %s %lld × %lld", i,
               ll(x.cols), name_of(call.in[i].dtype), ll(call.in[i].rows), ll(call.in[i].cols));
  return true;
}

inline bool check_channel_affine(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, y, x, "y");
  FLOW_CHECK_SAME_DTYPE(call, y, x, "y");
  return check_channel_parameters(call, call.out[1]);
}

inline bool check_channel_affine_grad(const Call& call) {
  const Operand &v = call.in[0], &d = call.in[3];
  if (!check_channel_parameters(call, call.in[4])) return false;
  FLOW_CHECK(call, d.absent() || (same_shape(d, v) && d.dtype == v.dtype), "dL_dout: is not like the input");
  for (int i = 0; i < 3; ++i) {
    const Operand &out = call.out[i], &in = call.in[i];
    if (out.absent()) continue;
    const bool fits = i == 0 ? same_shape(out, v) : out.count() == v.cols && out.contiguous();
    FLOW_CHECK(call, fits && out.dtype == in.dtype, "output %d: got %s %lld × %lld for an input of %s %lld × %lld", i,
               name_of(out.dtype), ll(out.rows), ll(out.cols), name_of(in.dtype), ll(in.rows), ll(in.cols));
  }
  return true;
}

}  // namespace flow::FLOW_ISA
