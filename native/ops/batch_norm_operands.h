// What batch_norm and its gradient read of their operands, on either device.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

/** in[1 … last]: a number a column each, of float64 up to in[2], then of the type of x. */
inline bool check_column_vectors(const Call& call, int last) {
  const Operand& x = call.in[0];
  for (int i = 1; i <= last; ++i) {
    const Operand& in = call.in[i];
    const DType wanted = i < 3 ? DType::f64 : x.dtype;
    FLOW_CHECK(call, in.count() == x.cols && in.contiguous() && in.dtype == wanted,
               "input %d: expected %s with %lld values side by side, got %s %lld × %lld", i, name_of(wanted), ll(x.cols),
               name_of(in.dtype), ll(in.rows), ll(in.cols));
  }
  return true;
}

inline bool check_batch_norm(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0], &log_det = call.out[1];
  FLOW_CHECK_SAME_SHAPE(call, y, x, "y");
  FLOW_CHECK_SAME_DTYPE(call, y, x, "y");
  FLOW_CHECK(call, log_det.dtype == DType::f64 && log_det.count() == 1, "log_det: expected one float64");
  return check_column_vectors(call, 4);
}

inline bool check_batch_norm_grad(const Call& call) {
  const Operand &x = call.in[0], &dL_dy = call.in[4], &d_log_det = call.in[5];
  if (!check_column_vectors(call, 3)) return false;
  FLOW_CHECK(call, dL_dy.absent() || (same_shape(dL_dy, x) && dL_dy.dtype == x.dtype), "dL_dy: is not like x");
  FLOW_CHECK(call, d_log_det.absent() || (d_log_det.count() == 1 && d_log_det.dtype == DType::f64),
             "dL_dlogDet: expected one float64");
  for (int i = 0; i < 3; ++i) {
    const Operand& out = call.out[i];
    if (out.absent()) continue;
    const bool fits = i == 0 ? same_shape(out, x) : out.count() == x.cols && out.contiguous();
    FLOW_CHECK(call, fits && out.dtype == x.dtype, "output %d: got %s %lld × %lld for x of %s %lld × %lld", i,
               name_of(out.dtype), ll(out.rows), ll(out.cols), name_of(x.dtype), ll(x.rows), ll(x.cols));
  }
  return true;
}

}  // namespace flow::FLOW_ISA
