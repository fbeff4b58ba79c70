// copy: out ← in between any two types; to int32 and uint8 truncated and clamped, NaN as 0.
#include <type_traits>

#include "reference/reference.h"

namespace flow::reference {

bool copy(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, in.rows == out.rows && in.cols == out.cols);
  for_type(in.dtype, [&](auto from) {
    for_type(out.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const double low = std::is_same_v<To, uint8_t> ? 0.0 : -2147483648.0;
      const double high = std::is_same_v<To, uint8_t> ? 255.0 : 2147483647.0;
      const Matrix<From> x(in);
      const Matrix<To> y(out);
      for (int64_t r = 0; r < x.rows; ++r) {
        for (int64_t c = 0; c < x.cols; ++c) {
          if constexpr (std::is_floating_point_v<To>) {
            y(r, c) = static_cast<To>(x(r, c));
          } else {
            const double value = static_cast<double>(x(r, c));
            if (value != value) y(r, c) = 0;
            else y(r, c) = static_cast<To>(value < low ? low : value > high ? high : value);
          }
        }
      }
    });
  });
  return true;
}

}  // namespace flow::reference
