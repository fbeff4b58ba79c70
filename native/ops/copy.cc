// copy: out ← in, element by element, between any two dtypes and row strides.
// To int32 and uint8 the value is truncated towards zero and clamped to the range; NaN gives 0.
#include "ops/kernel.h"

namespace flow::FLOW_ISA {
namespace {

template <class To, class From>
inline To convert(From value) {
  return static_cast<To>(value);
}

template <class To, class From>
inline To clamp_to(From value, double low, double high) {
  double x = static_cast<double>(value);
  if (!(x > low)) return x == x ? static_cast<To>(low) : To{0};
  return static_cast<To>(x < high ? x : high);
}
template <>
inline int32_t convert<int32_t, float>(float value) { return clamp_to<int32_t>(value, -2147483648.0, 2147483647.0); }
template <>
inline int32_t convert<int32_t, double>(double value) { return clamp_to<int32_t>(value, -2147483648.0, 2147483647.0); }
template <>
inline uint8_t convert<uint8_t, float>(float value) { return clamp_to<uint8_t>(value, 0.0, 255.0); }
template <>
inline uint8_t convert<uint8_t, double>(double value) { return clamp_to<uint8_t>(value, 0.0, 255.0); }
template <>
inline uint8_t convert<uint8_t, int32_t>(int32_t value) { return clamp_to<uint8_t>(value, 0.0, 255.0); }

// By value: what a lambda holds by reference may be what y points to, and is then read again for each element.
template <class To, class From>
inline void convert_span(To* y, const From* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = convert<To, From>(x[i]);
}

template <class To, class From>
void copy_rows(const Operand& in, const Operand& out) {
  const From* source = in.as<From>();
  To* target = out.as<To>();
  int64_t cols = in.cols;
  // A long vector is one row or one column: cut it by elements.
  if (in.contiguous() && out.contiguous()) {
    int64_t count = in.count();
    parallel_rows(ceil_div(count, 1024), 1024 * int64_t{sizeof(To) + sizeof(From)}, [&](int64_t first, int64_t last) {
      convert_span(target + first * 1024, source + first * 1024, min_of(count, last * 1024) - first * 1024);
    });
    return;
  }
  parallel_rows(in.rows, cols * int64_t{sizeof(To) + sizeof(From)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      convert_span(target + r * out.ld, source + r * in.ld, cols);
    }
  });
}

template <class To>
void copy_to(const Operand& in, const Operand& out) {
  switch (in.dtype) {
    case DType::f32: return copy_rows<To, float>(in, out);
    case DType::f64: return copy_rows<To, double>(in, out);
    case DType::i32: return copy_rows<To, int32_t>(in, out);
    case DType::u8: return copy_rows<To, uint8_t>(in, out);
  }
}

bool copy(const Call& call) {
  const Operand& in = call.in[0];
  const Operand& out = call.out[0];
  FLOW_CHECK(call, same_shape(in, out), "in is %lld × %lld, out %lld × %lld", static_cast<long long>(in.rows),
             static_cast<long long>(in.cols), static_cast<long long>(out.rows), static_cast<long long>(out.cols));
  switch (out.dtype) {
    case DType::f32: copy_to<float>(in, out); break;
    case DType::f64: copy_to<double>(in, out); break;
    case DType::i32: copy_to<int32_t>(in, out); break;
    case DType::u8: copy_to<uint8_t>(in, out); break;
  }
  return true;
}

}  // namespace

FLOW_DEFINE_OP(copy) = {"copy", copy, 1, 1, 1, 0};

}  // namespace flow::FLOW_ISA
