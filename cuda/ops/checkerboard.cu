// checkerboard: zeros at the positions (h, w) of each image with h + w even (parity 0) or odd (parity 1), x at the others.
// in: x [N·height·width, C]; out: y; attributes: height·width, width, parity.
//
// Floor: half of x and y, once; 16 bytes at a time where rows are aligned.
#include "cuda/core/columns.h"
#include "cuda/core/divide.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct Checkerboard {
  Matrix<const T> x;
  Matrix<T> y;
  Divisor positions, width;
  int64_t parity;

  __device__ __forceinline__ Nothing column(int64_t) const { return {}; }
  __device__ __forceinline__ void operator()(Nothing, int64_t row, int64_t unit) const {
    int64_t w = row;
    positions.split(w);
    const int64_t h = width.split(w);
    T value[W] = {};
    if (((h + w + parity) & 1) != 0) load<W>(value, x.at(row, unit * W));
    store<W>(y.at(row, unit * W), value);
  }
};

bool checkerboard(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  FLOW_CHECK(call, y.dtype == x.dtype, "y: expected %s, got %s", name_of(x.dtype), name_of(y.dtype));
  FLOW_CHECK(call, same_shape(x, y), "y: expected %lld × %lld, got %lld × %lld", ll(x.rows), ll(x.cols), ll(y.rows), ll(y.cols));
  const double limit = static_cast<double>(max_of(1, x.rows));
  FLOW_CHECK(call, call.attr[0] >= 1 && call.attr[0] <= limit && x.rows % call.int_attr(0) == 0,
             "positions: expected a divisor of the %lld rows, got %g", ll(x.rows), call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 1 && call.attr[1] <= call.attr[0] && call.int_attr(0) % call.int_attr(1) == 0,
             "width: expected a divisor of the %g positions, got %g", call.attr[0], call.attr[1]);
  FLOW_CHECK(call, call.attr[2] == 0 || call.attr[2] == 1, "parity: expected 0 or 1, got %g", call.attr[2]);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return Width<T>().of(x).of(y).columns(x.cols).choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      return walk_columns(call, x.rows, x.cols / W,
                          Checkerboard<W, T>{matrix<const T>(x), matrix<T>(y), Divisor(call.int_attr(0)), Divisor(call.int_attr(1)),
                                             call.int_attr(2)});
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(checkerboard) = {"checkerboard", checkerboard, 1, 1, 1, 3};

}  // namespace flow::cuda
