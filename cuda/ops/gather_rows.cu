// gather_rows: out[m, :] = scale·x[indices[m], :] + shift, converted to the float type of out. indices are int32; the row of an index
// outside of x is NaN. Attributes: scale, shift.
//
// Floor: the rows that are taken, out and indices, once. A thread moves up to 16 bytes of out.
#include <type_traits>

#include "cuda/core/divide.h"
#include "cuda/core/indices.h"

namespace flow::cuda {
namespace {

template <int W, class To, class From>
__global__ void __launch_bounds__(block_threads) take_rows(Matrix<const From> x, int64_t rows, const int32_t* indices, Matrix<To> out,
                                                           int64_t count, Divisor units, To scale, To shift) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    int64_t unit = i;
    const int64_t m = units.split(unit), row = indices[m];
    From from[W] = {};
    To to[W];
    const bool known = is_index(row, rows);
    if (known) load<W>(from, x.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k)
      to[k] = known ? scale * static_cast<To>(from[k]) + shift : static_cast<To>(NAN);
    store<W>(out.at(m, unit * W), to);
  }
}

template <class To, class From>
bool run_type(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  using Wider = std::conditional_t<(sizeof(To) > sizeof(From)), To, From>;
  Width<Wider> width;
  width.columns(out.cols);
  width.cap(Width<To>().of(out).value()).cap(Width<From>().of(x).value());
  return width.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const int64_t units = out.cols / W, count = units * out.rows;
    if (count == 0) return true;
    FLOW_LAUNCH((take_rows<W, To, From>), blocks_for(count), block_threads, 0, matrix<const From>(x), x.rows,
                indices.as<const int32_t>(), matrix<To>(out), count, Divisor(units), static_cast<To>(call.attr[0]),
                static_cast<To>(call.attr[1]));
    return launched(call);
  });
}

bool gather_rows(const Call& call) {
  const Operand &x = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_CHECK(call, out.cols == x.cols && out.rows == indices.count(), "output: expected %lld × %lld, got %lld × %lld",
             ll(indices.count()), ll(x.cols), ll(out.rows), ll(out.cols));
  if (!check_indices(call, indices)) return false;
  return with_float(call, out, "output", [&](auto to) {
    return with_type(x.dtype, [&](auto from) { return run_type<decltype(to), decltype(from)>(call); });
  });
}

}  // namespace

FLOW_DEFINE_OP(gather_rows) = {"gather_rows", gather_rows, 2, 2, 1, 2};

}  // namespace flow::cuda
