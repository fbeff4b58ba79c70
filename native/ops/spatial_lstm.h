// What spatial_lstm and its gradient share: the images of a task, and a row of states; math/spatial_lstm.h says which states a step has.
#pragma once
#include "ops/linear.h"
#include "ops/lanes.h"
#include "ops/spatial_lstm_operands.h"
#include "simd/gemm_packed.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/lstm_cell.h"

namespace flow::FLOW_ISA {

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
