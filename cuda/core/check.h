// What op files share: checks of operands, and the choice of the element type.
#pragma once
#include "core/op.h"

namespace flow::cuda {

inline long long ll(int64_t value) { return static_cast<long long>(value); }
inline bool same_shape(const Operand& a, const Operand& b) { return a.rows == b.rows && a.cols == b.cols; }
/** Whether `in` is of the shape of `out`, or one row, one column or one number of it. */
inline bool broadcasts(const Operand& in, const Operand& out) {
  return (in.rows == out.rows || in.rows == 1) && (in.cols == out.cols || in.cols == 1);
}

/** Calls body(T{}) for the floating type of an operand; other types fail with the name of the operand. */
template <class F>
bool with_float(const Call& call, const Operand& operand, const char* what, const F& body) {
  if (operand.dtype == DType::f32) return body(float{});
  if (operand.dtype == DType::f64) return body(double{});
  return call.fail("%s: expected float32 or float64, got %s", what, name_of(operand.dtype));
}

/** The same for every type. */
template <class F>
bool with_type(DType dtype, const F& body) {
  switch (dtype) {
    case DType::f32: return body(float{});
    case DType::f64: return body(double{});
    case DType::i32: return body(int32_t{});
    case DType::u8: return body(uint8_t{});
  }
  return false;
}

#define FLOW_CHECK_SAME_SHAPE(call, a, b, what)                                                               \
  FLOW_CHECK(call, same_shape(a, b), what ": expected %lld × %lld, got %lld × %lld", ll((b).rows), ll((b).cols), \
             ll((a).rows), ll((a).cols))
#define FLOW_CHECK_SAME_DTYPE(call, a, b, what)                                                      \
  FLOW_CHECK(call, (a).dtype == (b).dtype, what ": expected %s, got %s", name_of((b).dtype), name_of((a).dtype))
#define FLOW_CHECK_BROADCAST(call, a, out, what)                                                        \
  FLOW_CHECK(call, broadcasts(a, out), what ": %lld × %lld does not broadcast to %lld × %lld", ll((a).rows), \
             ll((a).cols), ll((out).rows), ll((out).cols))

}  // namespace flow::cuda
