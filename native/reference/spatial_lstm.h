// Where the states of an LSTM over images stand: native/math/spatial_lstm.h.
#pragma once
#include <vector>

#include "reference/functions.h"

namespace flow::reference {

struct Scan {
  int64_t height, width, direction, hidden, shift;
  std::vector<int64_t> dy, dx;  // taps; the cell is the second of a row's and the first of a diagonal's

  Scan(const Call& call, const Operand& weight)
      : height(call.int_attr(0)), width(call.int_attr(1)), direction(call.int_attr(2)), hidden(weight.rows / 4),
        shift(direction == 2 ? 1 : 0) {
    if (direction == 0) {
      dy = {-1, -1, -1}, dx = {-1, 0, 1};
    } else {
      dy = {0, -1}, dx = {direction == 1 ? -1 : 1, 0};
    }
  }
  int64_t taps() const { return static_cast<int64_t>(dy.size()); }
  int64_t cell() const { return direction == 0 ? 1 : 0; }
  bool fits(const Operand& weight, int64_t rows) const {
    return hidden > 0 && weight.rows == 4 * hidden && weight.cols == taps() * hidden && rows % (height * width) == 0;
  }
  // Pixels in an order in which all that one depends on come before it: rows down, in a row away from the tap.
  void pixel(int64_t k, int64_t& r, int64_t& c) const {
    r = k / width;
    c = direction == 2 ? width - 1 - k % width : k % width;
  }
  bool inside(int64_t r, int64_t c) const { return r >= shift && r < height && c >= 0 && c < width; }
  int64_t row(int64_t image, int64_t r, int64_t c) const { return (image * height + r) * width + c; }
};

}  // namespace flow::reference
