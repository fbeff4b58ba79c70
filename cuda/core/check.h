// What op files share: checks of operands (native/ops/operands.h has those of either device), and the choice of the element type.
#pragma once
#include "ops/operands.h"

namespace flow::cuda {

/** Calls body(T{}) for the type. */
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

inline bool check_shape(const Call& call, const Operand& operand, const char* what, int64_t rows, int64_t cols, DType dtype) {
  FLOW_CHECK(call, operand.dtype == dtype, "%s: expected %s, got %s", what, name_of(dtype), name_of(operand.dtype));
  FLOW_CHECK(call, operand.rows == rows && operand.cols == cols, "%s: expected %lld × %lld, got %lld × %lld", what, ll(rows), ll(cols),
             ll(operand.rows), ll(operand.cols));
  return true;
}

}  // namespace flow::cuda
