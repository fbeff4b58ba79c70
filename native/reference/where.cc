// where: y = mask ≠ 0 ? a : b, all three broadcast.
#include "reference/reference.h"

namespace flow::reference {

bool where(const Call& call) {
  const Operand &mask = call.in[0], &out = call.out[0];
  Operand typed = out;
  typed.dtype = mask.dtype;
  FLOW_AGREE(call, broadcasts(mask, typed) && broadcasts(call.in[1], out) && broadcasts(call.in[2], out));
  FLOW_AGREE(call, mask.dtype == DType::u8 || mask.dtype == out.dtype);
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Broadcast<T> a(call.in[1]), b(call.in[2]);
    const Matrix<T> y(out);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < y.cols; ++c) {
        const bool yes = mask.dtype == DType::u8 ? Broadcast<uint8_t>(mask)(r, c) != 0 : Broadcast<T>(mask)(r, c) != 0;
        y(r, c) = yes ? a(r, c) : b(r, c);
      }
    }
  });
}

}  // namespace flow::reference
