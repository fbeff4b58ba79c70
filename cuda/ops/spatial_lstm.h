// Which states of an image an LSTM computes in which step: native/ops/spatial_lstm.h has the words.
#pragma once
#include "cuda/core/check.h"
#include "cuda/core/context.h"
#include "cuda/core/pack.h"
#include "cuda/core/scalar.h"
#include "math/lstm_cell.h"

namespace flow::cuda {

struct SpatialLstm {
  int64_t height, width, hidden;
  int direction, taps, shift;

  __host__ __device__ int64_t pixels() const { return height * width; }
  __host__ __device__ int64_t steps() const { return direction == 0 ? height : height + width - 1 - shift; }
  __device__ __forceinline__ int64_t first_row(int64_t s) const {
    return direction == 0 ? s : (s >= width ? s - width + 1 : 0) + shift;
  }
  __device__ __forceinline__ int64_t count(int64_t s) const {
    if (direction == 0) return width;
    const int64_t last = height - 1 < s + shift ? height - 1 : s + shift;
    return last - first_row(s) + 1;
  }
  __device__ __forceinline__ void pixel(int64_t s, int64_t k, int64_t& r, int64_t& c) const {
    r = direction == 0 ? s : first_row(s) + k;
    const int64_t along = s - (r - shift);
    c = direction == 0 ? k : direction == 1 ? along : width - 1 - along;
  }
  __device__ __forceinline__ int64_t dy(int t) const { return direction == 0 || t == 1 ? -1 : 0; }
  __device__ __forceinline__ int64_t dx(int t) const { return direction == 0 ? t - 1 : t == 1 ? 0 : direction == 1 ? -1 : 1; }
  /** The tap whose cell goes on. */
  __device__ __forceinline__ int cell_tap() const { return direction == 0 ? 1 : 0; }
  __device__ __forceinline__ bool inside(int64_t r, int64_t c) const {
    return r >= shift && r < height && c >= 0 && c < width;
  }
};

inline bool read_spatial_lstm(const Call& call, const Operand& weight, int64_t rows, SpatialLstm& out) {
  const double height = call.attr[0], width = call.attr[1], direction = call.attr[2];
  FLOW_CHECK(call, height >= 1 && width >= 1 && height < (1 << 24) && width < (1 << 24) &&
                       height == static_cast<double>(static_cast<int64_t>(height)) &&
                       width == static_cast<double>(static_cast<int64_t>(width)),
             "image: expected height and width from 1, got %g × %g", height, width);
  FLOW_CHECK(call, direction == 0 || direction == 1 || direction == 2, "direction: expected 0 to 2, got %g", direction);
  out.height = static_cast<int64_t>(height);
  out.width = static_cast<int64_t>(width);
  out.direction = static_cast<int>(direction);
  out.shift = out.direction == 2 ? 1 : 0;
  out.taps = out.direction == 0 ? 3 : 2;
  FLOW_CHECK(call, weight.rows % 4 == 0 && weight.rows > 0 && weight.cols * 4 == out.taps * weight.rows,
             "weight: expected 4·hidden × %d·hidden, got %lld × %lld", out.taps, ll(weight.rows), ll(weight.cols));
  out.hidden = weight.rows / 4;
  FLOW_CHECK(call, rows % out.pixels() == 0, "gates: expected a multiple of %lld rows, got %lld", ll(out.pixels()), ll(rows));
  return true;
}

}  // namespace flow::cuda
