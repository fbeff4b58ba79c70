// binary: y = f(a, b), a and b broadcast. Attribute: kind.
#include "reference/reference.h"

namespace flow::reference {
namespace {

enum BinaryKind { add, sub, mul, div, max, min, greater_equal };
constexpr int kinds = 7;

template <class T>
T apply(int64_t kind, T a, T b) {
  switch (kind) {
    case add: return a + b;
    case sub: return a - b;
    case mul: return a * b;
    case div: return a / b;
    case max: return a != a ? a : b != b ? b : a > b ? a : b;
    case min: return a != a ? a : b != b ? b : a < b ? a : b;
    default: return a >= b ? 1 : 0;
  }
}

}  // namespace

bool binary(const Call& call) {
  const Operand& out = call.out[0];
  FLOW_AGREE(call, broadcasts(call.in[0], out) && broadcasts(call.in[1], out));
  FLOW_AGREE(call, call.attr[0] >= 0 && call.attr[0] < kinds);
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Broadcast<T> a(call.in[0]), b(call.in[1]);
    const Matrix<T> y(out);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = apply(call.int_attr(0), a(r, c), b(r, c));
  });
}

}  // namespace flow::reference
