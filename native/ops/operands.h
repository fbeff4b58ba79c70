// What ops check of their operands, in the same words on either device, and the choice of the element type.
#pragma once
#include "core/op.h"
#include "math/activation.h"

namespace flow::FLOW_ISA {

inline long long ll(int64_t value) { return static_cast<long long>(value); }

inline bool same_shape(const Operand& a, const Operand& b) { return a.rows == b.rows && a.cols == b.cols; }
/** A vector of n numbers: [n] (1 × n) or a column n × 1. */
inline bool is_vector(const Operand& operand, int64_t n) {
  return operand.count() == n && (operand.rows <= 1 || operand.cols <= 1);
}
/** Whether `in` is of the shape of `out`, or one row, one column or one number of it. */
inline bool broadcasts(const Operand& in, const Operand& out) {
  return (in.rows == out.rows || in.rows == 1) && (in.cols == out.cols || in.cols == 1);
}

/** Calls body(T{}) for the floating type of an operand; other types fail with the name of the operand. */
template <class F>
inline bool with_float(const Call& call, const Operand& operand, const char* what, const F& body) {
  if (operand.dtype == DType::f32) return body(float{});
  if (operand.dtype == DType::f64) return body(double{});
  return call.fail("%s: expected float32 or float64, got %s", what, name_of(operand.dtype));
}

#define FLOW_CHECK_SAME_SHAPE(call, a, b, what)                                                               \
  FLOW_CHECK(call, same_shape(a, b), what ": expected %lld × %lld, got %lld × %lld", ll((b).rows), ll((b).cols), \
             ll((a).rows), ll((a).cols))
#define FLOW_CHECK_SAME_DTYPE(call, a, b, what)                                                      \
  FLOW_CHECK(call, (a).dtype == (b).dtype, what ": expected %s, got %s", name_of((b).dtype), name_of((a).dtype))
#define FLOW_CHECK_BROADCAST(call, a, out, what)                                                        \
  FLOW_CHECK(call, broadcasts(a, out), what ": %lld × %lld does not broadcast to %lld × %lld", ll((a).rows), \
             ll((a).cols), ll((out).rows), ll((out).cols))

/** Whether a number is whole, from `low` to `high`; and whether an attribute is. */
inline bool whole_between(double value, double low, double high) {
  return value >= low && value <= high && value == static_cast<double>(static_cast<int64_t>(value));
}
inline bool whole_attr(const Call& call, int at, int64_t low, int64_t high) {
  return whole_between(call.attr[at], static_cast<double>(low), static_cast<double>(high));
}

inline bool check_shape(const Call& call, const Operand& operand, const char* what, int64_t rows, int64_t cols, DType dtype) {
  FLOW_CHECK(call, operand.dtype == dtype, "%s: expected %s, got %s", what, name_of(dtype), name_of(operand.dtype));
  FLOW_CHECK(call, operand.rows == rows && operand.cols == cols, "%s: expected %lld × %lld, got %lld × %lld", what, ll(rows), ll(cols),
             ll(operand.rows), ll(operand.cols));
  return true;
}

/** The rows of x, `columns` of them side by side, of the type of x. */
inline bool check_like(const Call& call, const Operand& operand, const char* what, const Operand& x, int64_t columns) {
  return check_shape(call, operand, what, x.rows, columns, x.dtype);
}

/** [n] of a type, side by side. */
inline bool check_vector(const Call& call, const Operand& o, const char* what, int64_t n, DType dtype) {
  FLOW_CHECK(call, o.dtype == dtype && o.count() == n && o.rows <= 1, "%s: expected %s [%lld], got %s %lld × %lld", what,
             name_of(dtype), ll(n), name_of(o.dtype), ll(o.rows), ll(o.cols));
  return true;
}
inline bool check_number(const Call& call, const Operand& o, const char* what) {
  FLOW_CHECK(call, o.dtype == DType::f64 && o.count() == 1, "%s: expected one float64, got %s %lld × %lld", what,
             name_of(o.dtype), ll(o.rows), ll(o.cols));
  return true;
}

/** A number a sample, [rows] float64. */
inline bool check_log_det(const Call& call, const Operand& operand, const char* what, int64_t rows) {
  FLOW_CHECK(call, operand.dtype == DType::f64, "%s: expected float64, got %s", what, name_of(operand.dtype));
  FLOW_CHECK(call, is_vector(operand, rows), "%s: expected shape [%lld], got %lld × %lld", what, ll(rows), ll(operand.rows),
             ll(operand.cols));
  return true;
}
inline bool check_flags(const Call& call, const Operand& operand, const char* what, int64_t rows) {
  FLOW_CHECK(call, operand.dtype == DType::i32 && is_vector(operand, rows), "%s: expected int32 [%lld], got %s %lld × %lld", what,
             ll(rows), name_of(operand.dtype), ll(operand.rows), ll(operand.cols));
  return true;
}
/** What a solve reports of each sample, outputs first, first + 1, first + 2: iterations, residual and converged. */
inline bool check_report(const Call& call, int first, int64_t rows) {
  return check_flags(call, call.out[first], "iterations", rows) && check_log_det(call, call.out[first + 1], "residual", rows) &&
         check_flags(call, call.out[first + 2], "converged", rows);
}

/** Attributes [at] and [at + 1]: the code of an Activation and its parameter. */
inline bool read_activation(const Call& call, int at, Activation& act, double& param) {
  FLOW_CHECK(call, whole_attr(call, at, 0, activation_count - 1), "activation: expected a code from 0 to %d, got %g", activation_count - 1,
             call.attr[at]);
  act = static_cast<Activation>(static_cast<int>(call.attr[at]));
  param = call.attr[at + 1];
  return true;
}

}  // namespace flow::FLOW_ISA
