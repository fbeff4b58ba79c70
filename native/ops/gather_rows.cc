// gather_rows: out[m, :] = scale·x[indices[m], :] + shift, converted to the float type of out. indices are int32.
// Attributes: scale, shift.
#include "ops/elementwise.h"
#include "ops/indices.h"

namespace flow::FLOW_ISA {
namespace {

// Everything by value: what a lambda holds by reference would be read again for each element.
template <class To, class From>
inline void convert_row(To* __restrict target, const From* source, int64_t n) {
  for (int64_t c = 0; c < n; ++c) target[c] = static_cast<To>(source[c]);
}
template <class To, class From>
inline void convert_row(To* __restrict target, const From* source, int64_t n, To scale, To shift) {
  for (int64_t c = 0; c < n; ++c) target[c] = scale * static_cast<To>(source[c]) + shift;
}

template <class To, class From>
void gather(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  const int32_t* index = indices.as<int32_t>();
  To scale = static_cast<To>(call.attr[0]), shift = static_cast<To>(call.attr[1]);
  int64_t cols = out.cols;
  bool plain = call.attr[0] == 1 && call.attr[1] == 0;
  parallel_rows(out.rows, out.cols * int64_t{sizeof(To) + sizeof(From)}, [&](int64_t first, int64_t last) {
    for (int64_t m = first; m < last; ++m) {
      const From* source = x.as<From>() + index[m] * x.ld;
      To* target = out.as<To>() + m * out.ld;
      if (plain) convert_row(target, source, cols);
      else convert_row(target, source, cols, scale, shift);
    }
  });
}

template <class To>
void gather_to(const Call& call) {
  switch (call.in[0].dtype) {
    case DType::f32: return gather<To, float>(call);
    case DType::f64: return gather<To, double>(call);
    case DType::i32: return gather<To, int32_t>(call);
    case DType::u8: return gather<To, uint8_t>(call);
  }
}

bool gather_rows(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.cols == x.cols && out.rows == indices.count(), "output: expected %lld × %lld, got %lld × %lld",
             ll(indices.count()), ll(x.cols), ll(out.rows), ll(out.cols));
  if (!check_indices(call, indices, x.rows, "row")) return false;
  return with_float(call, out, "output", [&](auto zero) {
    gather_to<decltype(zero)>(call);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(gather_rows) = {"gather_rows", gather_rows, 2, 2, 1, 2};

}  // namespace flow::FLOW_ISA
