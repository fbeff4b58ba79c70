// concat_columns: the columns of the inputs side by side. Every input has the rows and the type of out.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
inline void copy_span(T* __restrict y, const T* x, int64_t n) {
  for (int64_t c = 0; c < n; ++c) y[c] = x[c];
}

template <class T>
void concat(const Call& call) {
  const Operand& out = call.out[0];
  parallel_rows(out.rows, out.cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    int64_t start = 0;
    for (int i = 0; i < call.n_in; ++i) {
      const Operand& in = call.in[i];
      for (int64_t r = first; r < last; ++r)
        copy_span(out.as<T>() + r * out.ld + start, static_cast<const T*>(in.as<T>() + r * in.ld), in.cols);
      start += in.cols;
    }
  });
}

bool concat_columns(const Call& call) {
  const Operand& out = call.out[0];
  int64_t cols = 0;
  for (int i = 0; i < call.n_in; ++i) {
    FLOW_CHECK(call, call.in[i].rows == out.rows, "input %d: expected %lld rows, got %lld", i, ll(out.rows),
               ll(call.in[i].rows));
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], out, "input");
    cols += call.in[i].cols;
  }
  FLOW_CHECK(call, cols == out.cols, "output: expected %lld columns, got %lld", ll(cols), ll(out.cols));
  switch (size_of(out.dtype)) {
    case 8: concat<uint64_t>(call); return true;
    case 4: concat<uint32_t>(call); return true;
    default: concat<uint8_t>(call); return true;
  }
}

}  // namespace

FLOW_DEFINE_OP(concat_columns) = {"concat_columns", concat_columns, 1, 1024, 1, 0};

}  // namespace flow::FLOW_ISA
