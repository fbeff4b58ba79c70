// Which states of an image an LSTM computes in which step: LSTMs over images (van den Oord et al. 2016, "Pixel Recurrent Neural
// Networks"). The state of a pixel depends on states of pixels before it, which the taps name.
//
//   down (Row LSTM)            taps (−1, −1), (−1, 0), (−1, 1)   cell (−1, 0)     step by step: row after row
//   right (diagonal)           taps (0, −1), (−1, 0)             cell (0, −1)     diagonal after diagonal, r + c
//   left (the other diagonal)  taps (0, 1), (−1, 0)              cell (0, 1)      r + width − 1 − c
//
// Pixels of one step do not depend on each other: a step is one product. The skew of the paper, by which a diagonal becomes a
// column, is here the list of a step's pixels. The states of `left` have seen the pixels to the right; they are written one row
// below, as the paper shifts them, so that state and output of pixel q stand at q and its gates at q − (1, 0): row 0 is zero.
#pragma once
#include <stdint.h>

#include "math/formula.h"

namespace flow::FLOW_ISA {

struct SpatialLstm {
  int64_t height, width, hidden;
  int direction;  // down, right, left
  int taps, shift;

  FLOW_FORMULA int64_t pixels() const { return height * width; }
  FLOW_FORMULA int64_t steps() const { return direction == 0 ? height : height + width - 1 - shift; }
  /** Row of the first pixel of a step, and how many there are. Rows are those of the states. */
  FLOW_FORMULA int64_t first_row(int64_t s) const { return direction == 0 ? s : (s >= width ? s - width + 1 : 0) + shift; }
  FLOW_FORMULA int64_t count(int64_t s) const {
    if (direction == 0) return width;
    const int64_t last = height - 1 < s + shift ? height - 1 : s + shift;
    return last - first_row(s) + 1;
  }
  /** State row and column of pixel k of step s. */
  FLOW_FORMULA void pixel(int64_t s, int64_t k, int64_t& r, int64_t& c) const {
    r = direction == 0 ? s : first_row(s) + k;
    const int64_t along = s - (r - shift);
    c = direction == 0 ? k : direction == 1 ? along : width - 1 - along;
  }
  FLOW_FORMULA int64_t dy(int t) const { return direction == 0 || t == 1 ? -1 : 0; }
  FLOW_FORMULA int64_t dx(int t) const { return direction == 0 ? t - 1 : t == 1 ? 0 : direction == 1 ? -1 : 1; }
  /** The tap whose cell goes on. */
  FLOW_FORMULA int cell_tap() const { return direction == 0 ? 1 : 0; }
  /** Whether a state stands at (r, c), and not the zeros around. */
  FLOW_FORMULA bool inside(int64_t r, int64_t c) const { return r >= shift && r < height && c >= 0 && c < width; }
};

}  // namespace flow::FLOW_ISA
