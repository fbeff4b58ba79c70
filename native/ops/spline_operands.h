// What spline and its gradient read of their operands and attributes, on either device. Comes after math/spline.h.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

// Attributes: kind, tails, bins, left, right, least width, height and slope, inverse.
inline constexpr int spline_attributes = 9;

template <SplineKind kind>
struct SplineTag {
  static constexpr SplineKind value = kind;
};

// Calls body(SplineTag<kind>{}, shape) for the attributes from `first`.
template <class F>
bool with_spline(const Call& call, int first, const F& body) {
  const double* a = call.attr + first;
  FLOW_CHECK(call, a[1] >= 0 && a[1] <= 2, "tails: expected a code from 0 to 2, got %g", a[1]);
  FLOW_CHECK(call, a[2] >= 1 && a[2] <= 1024, "bins: expected 1 to 1024, got %g", a[2]);
  FLOW_CHECK(call, a[3] < a[4], "box: expected left below right, got %g and %g", a[3], a[4]);
  for (int k = 5; k < 7; ++k)
    FLOW_CHECK(call, a[k] >= 0 && a[k] * a[2] < 1, "least width and height: expected less than 1/bins, got %g", a[k]);
  FLOW_CHECK(call, a[7] > 0 && a[7] < 1, "least slope: expected a number in (0, 1), got %g", a[7]);
  const double eps = call.in[0].dtype == DType::f32 ? 1.1920929e-07 : 2.220446049250313e-16;
  const int64_t bins = call.int_attr(first + 2);
  const double least = spline_least(bins, eps);
  const SplineShape shape{static_cast<SplineTails>(call.int_attr(first + 1)), bins, a[3], a[4], a[5] > least ? a[5] : least,
                          a[6] > least ? a[6] : least, a[7], log(expm1(1.0 - a[7])), eps};
  if (a[0] == 0) return body(SplineTag<SplineKind::rational_quadratic>{}, shape);
  if (a[0] == 1) return body(SplineTag<SplineKind::quadratic>{}, shape);
  if (a[0] == 2) return body(SplineTag<SplineKind::linear>{}, shape);
  if (a[0] == 3) return body(SplineTag<SplineKind::cubic>{}, shape);
  return call.fail("kind: expected a code from 0 to 3, got %g", a[0]);
}

// Parameters: P numbers a feature side by side, a row a sample or one row for all.
inline bool check_spline_params(const Call& call, const Operand& params, const Operand& x, int64_t count) {
  FLOW_CHECK(call, params.dtype == x.dtype, "params: expected %s, got %s", name_of(x.dtype), name_of(params.dtype));
  FLOW_CHECK(call, params.cols == count * x.cols && (params.rows == x.rows || params.rows == 1),
             "params: expected %lld × %lld, or one row, got %lld × %lld", ll(x.rows), ll(count * x.cols), ll(params.rows),
             ll(params.cols));
  return true;
}

// P numbers a feature: those of in[0] and its map.
inline bool check_spline(const Call& call, int64_t P) {
  const Operand& in = call.in[0];
  return check_spline_params(call, call.in[1], in, P) && check_like(call, call.out[0], "output", in, in.cols) &&
         check_log_det(call, call.out[1], "logDet", in.rows);
}
inline bool check_spline_grad(const Call& call, int64_t P) {
  const Operand &in = call.in[0], &d_out = call.in[2], &d_log_det = call.in[3];
  return check_spline_params(call, call.in[1], in, P) && check_like(call, call.out[0], "dL_din", in, in.cols) &&
         check_like(call, call.out[1], "dL_dparams", in, P * in.cols) &&
         (d_out.absent() || check_like(call, d_out, "dL_dout", in, in.cols)) &&
         (d_log_det.absent() || check_log_det(call, d_log_det, "dL_dlogDet", in.rows));
}

}  // namespace flow::FLOW_ISA
