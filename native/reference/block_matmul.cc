// block_matmul: y[n, f, m] = Σ_k x[n, f, k]·B_f[k, m].
#include "reference/reference.h"

namespace flow::reference {

bool block_matmul(const Call& call) {
  const Operand &in = call.in[0], &blocks = call.in[1], &out = call.out[0];
  const int64_t count = call.int_attr(0);
  const bool transpose = call.attr[1] != 0;
  FLOW_AGREE(call, count >= 1 && in.cols % count == 0 && blocks.rows % count == 0 && blocks.dtype == in.dtype);
  const int64_t depth = in.cols / count, side = blocks.rows / count, cols = transpose ? side : blocks.cols;
  FLOW_AGREE(call, depth == (transpose ? blocks.cols : side) && is(out, in.rows, count * cols, in.dtype));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), b(blocks), y(out);
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t f = 0; f < count; ++f)
        for (int64_t m = 0; m < cols; ++m) {
          double sum = 0;
          for (int64_t k = 0; k < depth; ++k)
            sum += static_cast<double>(x(r, f * depth + k)) *
                   static_cast<double>(transpose ? b(f * side + m, k) : b(f * side + k, m));
          y(r, f * cols + m) = static_cast<T>(sum);
        }
  });
}

}  // namespace flow::reference
