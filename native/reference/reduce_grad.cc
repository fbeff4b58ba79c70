// reduce_grad: dL_dx of max (2) and logsumexp (3). Inputs: x, y, dL_dy. Attributes: kind, axis.
// The gradient of a maximum goes to the first element that has it: a NaN, where there is one.
#include "reference/reference.h"

namespace flow::reference {

bool reduce_grad(const Call& call) {
  const Operand &x = call.in[0], &y = call.in[1], &dL_dy = call.in[2], &dL_dx = call.out[0];
  const int64_t kind = call.int_attr(0), axis = call.int_attr(1);
  FLOW_AGREE(call, (kind == 2 || kind == 3) && axis >= 0 && axis <= 2);
  const int64_t count = axis == 0 ? x.cols : axis == 1 ? x.rows : 1;
  FLOW_AGREE(call, like(x, dL_dx) && is_vector(y, count, y.dtype) && is_vector(dL_dy, count, dL_dy.dtype));
  FLOW_AGREE(call, size_of(y.dtype) >= 4 && y.dtype != DType::i32 && size_of(dL_dy.dtype) >= 4 && dL_dy.dtype != DType::i32);
  auto read = [](const Operand& o, int64_t i) {
    return o.dtype == DType::f32 ? static_cast<double>(Vector<float>(o)(i)) : Vector<double>(o)(i);
  };
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> in(x), out(dL_dx);
    auto result = [axis](int64_t r, int64_t c) { return axis == 0 ? c : axis == 1 ? r : int64_t{0}; };
    // Whether (r, c) comes before every element that is equal to it, and none is greater, in its line.
    auto is_first_maximum = [&](int64_t r, int64_t c) {
      const T value = in(r, c);
      for (int64_t i = axis == 1 ? r : 0; i < (axis == 1 ? r + 1 : in.rows); ++i) {
        for (int64_t j = axis == 0 ? c : 0; j < (axis == 0 ? c + 1 : in.cols); ++j) {
          const bool earlier = i < r || (i == r && j < c);
          const T other = in(i, j);
          if (value != value ? other != other && earlier : other > value || other != other || (other == value && earlier))
            return false;
        }
      }
      return true;
    };
    for (int64_t r = 0; r < in.rows; ++r) {
      for (int64_t c = 0; c < in.cols; ++c) {
        const double d = read(dL_dy, result(r, c));
        if (kind == 2)
          out(r, c) = is_first_maximum(r, c) ? static_cast<T>(d) : 0;
        else
          out(r, c) = static_cast<T>(d * std::exp(static_cast<double>(in(r, c)) - read(y, result(r, c))));
      }
    }
  });
}

}  // namespace flow::reference
