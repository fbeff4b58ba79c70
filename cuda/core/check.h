// What op files share: the checks of native/ops/operands.h, and the choice of an element type that need not be a float.
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

}  // namespace flow::cuda
