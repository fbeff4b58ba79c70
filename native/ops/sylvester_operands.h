// What sylvester and its gradient read of their operands, on either device. Comes after math/sylvester.h.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline bool check_sylvester_params(const Call& call, const Operand& params, const Operand& v) {
  const int64_t count = SylvesterLayout{v.cols}.count();
  FLOW_CHECK(call, params.dtype == v.dtype, "params: expected %s, got %s", name_of(v.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count && (params.rows == v.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", ll(v.rows), ll(count), ll(params.rows), ll(params.cols));
  return true;
}

inline bool check_sylvester(const Call& call) {
  const Operand& in = call.in[0];
  const bool inverse = call.attr[0] != 0;
  FLOW_CHECK(call, in.cols >= 1, "v: expected one column at least");
  FLOW_CHECK(call, call.n_out == (inverse ? 5 : 2), "outputs: expected %d, got %d", inverse ? 5 : 2, call.n_out);
  if (!check_sylvester_params(call, call.in[1], in) || !check_like(call, call.out[0], "output", in, in.cols) ||
      !check_log_det(call, call.out[1], "logDet", in.rows))
    return false;
  for (int k = 2; k < call.n_out; ++k) {
    const Operand& report = call.out[k];
    if (report.absent()) continue;
    if (k == 3 && !check_log_det(call, report, "residual", in.rows)) return false;
    FLOW_CHECK(call, k == 3 || (report.dtype == DType::i32 && is_vector(report, in.rows)), "report: expected int32 [%lld]", ll(in.rows));
  }
  return true;
}

inline bool check_sylvester_grad(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1];
  FLOW_CHECK(call, in.cols >= 1, "v: expected one column at least");
  return check_sylvester_params(call, params, in) && check_like(call, call.out[0], "dL_din", in, in.cols) &&
         check_like(call, call.out[1], "dL_dparams", in, params.cols) &&
         (call.in[2].absent() || check_like(call, call.in[2], "dL_dout", in, in.cols)) &&
         (call.in[3].absent() || check_log_det(call, call.in[3], "dL_dlogDet", in.rows));
}

}  // namespace flow::FLOW_ISA
