// fill: every element of out becomes the attribute `value`, converted to the element type as a C cast does.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

// By value: what a lambda holds by reference may be what y points to, and is then read again for each element.
template <class T>
inline void fill_span(T* y, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}

template <class T>
void fill_as(const Operand& out, T value) {
  if (out.contiguous()) {
    parallel_elements(out.count(), sizeof(T), [&out, value](int64_t first, int64_t last) {
      fill_span(out.as<T>() + first, last - first, value);
    });
    return;
  }
  parallel_rows(out.rows, out.cols * int64_t{sizeof(T)}, [&out, value](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) fill_span(out.as<T>() + r * out.ld, out.cols, value);
  });
}

bool fill(const Call& call) {
  const Operand& out = call.out[0];
  double value = call.attr[0];
  switch (out.dtype) {
    case DType::f32: fill_as(out, static_cast<float>(value)); return true;
    case DType::f64: fill_as(out, value); return true;
    case DType::i32:
      FLOW_CHECK(call, value >= -2147483648.0 && value <= 2147483647.0, "value: expected an int32, got %g", value);
      fill_as(out, static_cast<int32_t>(value));
      return true;
    case DType::u8:
      FLOW_CHECK(call, value >= 0 && value <= 255, "value: expected 0 to 255, got %g", value);
      fill_as(out, static_cast<uint8_t>(value));
      return true;
  }
  return true;
}

}  // namespace

FLOW_DEFINE_OP(fill) = {"fill", fill, 0, 0, 1, 1};

}  // namespace flow::FLOW_ISA
