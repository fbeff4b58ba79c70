// fill: every element of out becomes the attribute `value`.
#include "reference/reference.h"

namespace flow::reference {

bool fill(const Call& call) {
  const double value = call.attr[0];
  const DType dtype = call.out[0].dtype;
  FLOW_AGREE(call, dtype != DType::i32 || (value >= -2147483648.0 && value <= 2147483647.0));
  FLOW_AGREE(call, dtype != DType::u8 || (value >= 0 && value <= 255));
  for_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> y(call.out[0]);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = static_cast<T>(value);
  });
  return true;
}

}  // namespace flow::reference
