// LSTMs over images (van den Oord et al. 2016, "Pixel Recurrent Neural Networks"): the state of a pixel depends on states of
// pixels before it, which the taps name.
//
//   down (Row LSTM)            taps (−1, −1), (−1, 0), (−1, 1)   cell (−1, 0)     step by step: row after row
//   right (diagonal)           taps (0, −1), (−1, 0)             cell (0, −1)     diagonal after diagonal, r + c
//   left (the other diagonal)  taps (0, 1), (−1, 0)              cell (0, 1)      r + width − 1 − c
//
// Pixels of one step do not depend on each other: a step is one product. The skew of the paper, by which a diagonal becomes a
// column, is here the list of a step's pixels. The states of `left` have seen the pixels to the right; they are written one row
// below, as the paper shifts them, so that state and output of pixel q stand at q and its gates at q − (1, 0): row 0 is zero.
//
// gates [N·height·width, 4·hidden]: inputs of i, f, o, g; weight [4·hidden, taps·hidden]. Attributes: height, width, direction.
#pragma once
#include "ops/linear.h"
#include "ops/lanes.h"
#include "simd/gemm_packed.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/lstm_cell.h"

namespace flow::FLOW_ISA {

struct Step2 {
  int64_t dy, dx;
};

struct SpatialLstm {
  int64_t height, width, hidden, taps, shift;
  int direction;
  Step2 tap[3], cell;

  int64_t pixels() const { return height * width; }
  int64_t steps() const { return direction == 0 ? height : height + width - 1 - shift; }
  // Row of the first pixel of a step, and how many there are. Rows are those of the states.
  int64_t first_row(int64_t s) const { return direction == 0 ? s : max_of(0, s - width + 1) + shift; }
  int64_t count(int64_t s) const {
    return direction == 0 ? width : min_of(height - 1, s + shift) - first_row(s) + 1;
  }
  // State row and column of pixel k of step s.
  void pixel(int64_t s, int64_t k, int64_t& r, int64_t& c) const {
    r = direction == 0 ? s : first_row(s) + k;
    const int64_t along = s - (r - shift);
    c = direction == 0 ? k : direction == 1 ? along : width - 1 - along;
  }
  // Whether a state stands at (r, c), and not the zeros around.
  bool inside(int64_t r, int64_t c) const { return r >= shift && r < height && c >= 0 && c < width; }
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
  const int64_t side = out.direction == 1 ? -1 : 1;
  if (out.direction == 0) {
    for (int64_t t = 0; t < 3; ++t) out.tap[t] = {-1, t - 1};
    out.cell = {-1, 0};
  } else {
    out.tap[0] = {0, side};
    out.tap[1] = {-1, 0};
    out.cell = {0, side};
  }
  FLOW_CHECK(call, weight.rows % 4 == 0 && weight.rows > 0 && weight.cols * 4 == out.taps * weight.rows,
             "weight: expected 4·hidden × %lld·hidden, got %lld × %lld", static_cast<long long>(out.taps),
             static_cast<long long>(weight.rows), static_cast<long long>(weight.cols));
  out.hidden = weight.rows / 4;
  FLOW_CHECK(call, rows % out.pixels() == 0, "gates: expected a multiple of %lld rows, got %lld",
             static_cast<long long>(out.pixels()), static_cast<long long>(rows));
  return true;
}

// Images that one task takes through all steps.
inline int64_t images_together(int64_t images) { return images < 8 ? 1 : min_of(8, images / 4); }

// `columns` of one row of states: gates of z + sum, c and h; `kept`, or null, takes the gates. The four parts of z, sum and kept
// are `hidden` columns apart.
template <class T>
inline void lstm_row(int64_t hidden, int64_t columns, const T* z, const T* sum, const T* before, T* kept, T* c, T* h) {
  for_lanes<Vec<T>>(columns, [&](int64_t j, int live) FLOW_INLINE_LAMBDA {
    Vec<T> in[4];
    FLOW_UNROLL
    for (int q = 0; q < 4; ++q) in[q] = load_live(z + q * hidden + j, live) + load_live(sum + q * hidden + j, live);
    const auto gates = lstm_gates(in[0], in[1], in[2], in[3]);
    const Vec<T> cell = lstm_cell(gates, before ? load_live(before + j, live) : Vec<T>(T(0)));
    store_live(c + j, cell, live);
    store_live(h + j, lstm_hidden(gates, cell), live);
    if (!kept) return;
    store_live(kept + j, gates.i, live);
    store_live(kept + hidden + j, gates.f, live);
    store_live(kept + 2 * hidden + j, gates.o, live);
    store_live(kept + 3 * hidden + j, gates.g, live);
  });
}

}  // namespace flow::FLOW_ISA
