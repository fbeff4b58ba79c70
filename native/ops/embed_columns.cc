// embed_columns: out = 0 but for the columns [start, start + in.cols), which are `in`: the gradient of a column range.
// Attribute: start.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

// Everything by value: what a lambda holds by reference would be read again for each element.
template <class T>
inline void embed(T* __restrict y, const T* x, int64_t start, int64_t width, int64_t cols) {
  for (int64_t c = 0; c < start; ++c) y[c] = 0;
  for (int64_t c = 0; c < width; ++c) y[start + c] = x[c];
  for (int64_t c = start + width; c < cols; ++c) y[c] = 0;
}

bool embed_columns(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  int64_t start = call.int_attr(0), width = in.cols, cols = out.cols;
  FLOW_CHECK(call, in.rows == out.rows && start >= 0 && start <= out.cols - in.cols,
             "input: %lld × %lld at column %lld does not fit %lld × %lld", ll(in.rows), ll(in.cols), ll(start),
             ll(out.rows), ll(out.cols));
  FLOW_CHECK_SAME_DTYPE(call, in, out, "input");
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    parallel_rows(out.rows, out.cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const T* x = in.as<T>() + r * in.ld;
        T* y = out.as<T>() + r * out.ld;
        embed(y, x, start, width, cols);
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(embed_columns) = {"embed_columns", embed_columns, 1, 1, 1, 1};

}  // namespace flow::FLOW_ISA
