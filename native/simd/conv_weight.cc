// The gradient of a convolution by its weight, in parallel: a task is a group of taps with a piece of the pixels; the pieces'
// sums are added in order.
#include "conv.h"

#include "conv_correlation.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kGroupRows = 3 * kTileRows;  // rows of G in a task at least
constexpr int64_t kPieceBlocks = 2;            // blocks of pixels in a task at least
constexpr int64_t kEnoughTasks = 12;
constexpr int64_t kMostPartial = 512 << 10;  // elements of all pieces of G
constexpr int64_t kMostPlain = 64 << 10;     // elements of a weight without moves that is handled here

}  // namespace

template <class T>
void conv_grad_weight(const ConvShape& shape, const T* dL_dy, int64_t dy_ld, const T* x, int64_t x_ld, T* dL_dW,
                      int64_t dw_ld, T* dL_db) {
  const int64_t taps = shape.live, inputs = shape.inputs, outputs = shape.outputs, pixels = shape.pixels();
  if (is_plain(shape) && shape.blocks == 1 && inputs * outputs > kMostPlain) {
    gemm<T>(Trans::yes, Trans::no, outputs, inputs, pixels, dL_dy, dy_ld, x, x_ld, dL_dW, dw_ld);
    if (dL_db) column_sums<T>(pixels, outputs, dL_dy, dy_ld, dL_db);
    return;
  }
  const bool empty = taps == 0 || inputs == 0 || outputs == 0 || pixels <= 0;
  if (taps < shape.blocks || empty) {
    for (int64_t o = 0; o < outputs; ++o) zero(dL_dW + o * dw_ld, shape.blocks * inputs);
  }
  if (dL_db && empty) column_sums<T>(pixels, outputs, dL_dy, dy_ld, dL_db);
  if (empty) return;

  const Correlation<T> v = correlation_of(shape, dL_dy, dy_ld, x, x_ld);
  const int64_t size = taps * inputs * outputs, blocks = up_div(pixels, kPixelBlock);
  const int64_t groups = clamp_to(taps * v.moved / kGroupRows, 1, taps);
  int64_t pieces = lesser(up_div(blocks, kPieceBlocks), up_div(kEnoughTasks, groups));
  if (pieces * size > kMostPartial) pieces = kMostPartial / size > 1 ? kMostPartial / size : 1;
  T* g = workspace<T>(pieces * size + blocks * outputs, 0);
  T* sums = g + pieces * size;
  parallel(pieces * groups, [&](int64_t task) {
    const int64_t piece = task / groups, group = task % groups;
    const int64_t q0 = piece * blocks / pieces, q1 = (piece + 1) * blocks / pieces;
    run_piece(v, group * taps / groups, (group + 1) * taps / groups, q0, q1, false, g + piece * size);
    if (!dL_db || group > 0) return;
    for (int64_t q = q0; q < q1; ++q) {
      const int64_t rows = lesser(kPixelBlock, pixels - q * kPixelBlock);
      sum_rows(rows, outputs, dL_dy + q * kPixelBlock * dy_ld, dy_ld, sums + q * outputs);
    }
  });
  if (dL_db) add_sums(blocks, outputs, sums, dL_db);
  write_weight(shape, g, pieces, size, dL_dW, dw_ld);
}

#define FLOW_INSTANTIATE(T)                                                                                       \
  template void conv_grad_weight<T>(const ConvShape&, const T*, int64_t, const T*, int64_t, T*, int64_t, T*);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
