// squeeze: space to depth, [N, H, W, C] → [N, H/2, W/2, 4·C] by rows of H·W·C numbers, or back. The new channels are those of
// the four pixels of a 2 × 2 block: top left, top right, bottom left, bottom right; so a block is two runs of 2·C numbers.
// Attributes: height, width, channels (before), back (0 or 1). The gradient of one way is the other.
//
// Floor: x and y, once. A thread writes up to 16 bytes of a run; neighbours write side by side and read runs.
#include "cuda/core/divide.h"
#include "cuda/core/pack.h"
#include "ops/squeeze_operands.h"

namespace flow::cuda {
namespace {

/** Two rows of pixels and the row of blocks that they are: `lines` units; a row of pixels is `line`, a pair of pixels `run`. */
template <int W, class T>
__global__ void __launch_bounds__(block_threads) move_runs(Matrix<const T> x, Matrix<T> y, int64_t count, Divisor row_units, Divisor lines,
                                                           Divisor line, Divisor run, int64_t pixel_row, int64_t pair, bool back) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    int64_t col = i;
    const int64_t row = row_units.split(col);
    int64_t within = col;
    const int64_t start = lines.quotient(col) * 2 * pixel_row;
    within -= start;
    int64_t from;
    if (back) {
      const int64_t bottom = line.split(within), block = run.split(within);
      from = (2 * block + bottom) * pair + within;
    } else {
      const int64_t k = run.split(within);
      from = (k & 1) * pixel_row + (k >> 1) * pair + within;
    }
    T value[W];
    load<W>(value, x.at(row, (start + from) * W));
    store<W>(y.at(row, col * W), value);
  }
}

bool squeeze(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  SqueezeShape s;
  if (!read_squeeze(call, s)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return Width<T>().of(x).of(y).columns(2 * s.channels).choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      const int64_t line = s.width * s.channels / W, pair = 2 * s.channels / W, count = x.rows * (x.cols / W);
      if (count == 0) return true;
      FLOW_LAUNCH((move_runs<W, T>), blocks_for(count), block_threads, 0, matrix<const T>(x), matrix<T>(y), count, Divisor(x.cols / W),
                  Divisor(2 * line), Divisor(line), Divisor(pair), line, pair, s.back);
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(squeeze) = {"squeeze", squeeze, 1, 1, 1, 4};

}  // namespace flow::cuda
