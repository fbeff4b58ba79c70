// embed_columns: out = 0 but for the columns [start, start + in.cols), which are `in`: the gradient of a column range.
// Attribute: start.
//
// Floor: in and out, once; 16 bytes at a time where the range and the rows are aligned to them.
#include "cuda/core/columns.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct Embed {
  Matrix<const T> in;
  int64_t start, cols;
  Matrix<T> out;

  __device__ __forceinline__ int64_t column(int64_t unit) const {
    const int64_t c = unit * W - start;
    return c >= 0 && c < cols ? c : -1;
  }
  __device__ __forceinline__ void operator()(int64_t from, int64_t row, int64_t unit) const {
    T value[W] = {};
    if (from >= 0) load<W>(value, in.at(row, from));
    store<W>(out.at(row, unit * W), value);
  }
};

bool embed_columns(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  const int64_t start = call.int_attr(0);
  FLOW_CHECK(call, in.rows == out.rows && start >= 0 && start <= out.cols - in.cols,
             "input: %lld × %lld at column %lld does not fit %lld × %lld", ll(in.rows), ll(in.cols), ll(start),
             ll(out.rows), ll(out.cols));
  FLOW_CHECK_SAME_DTYPE(call, in, out, "input");
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    return Width<T>().of(in).of(out).columns(start).columns(in.cols).columns(out.cols).choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      return walk_columns(call, out.rows, out.cols / W, Embed<W, T>{matrix<const T>(in), start, in.cols, matrix<T>(out)});
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(embed_columns) = {"embed_columns", embed_columns, 1, 1, 1, 1};

}  // namespace flow::cuda
