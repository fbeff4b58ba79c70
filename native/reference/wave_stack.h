// The residual layers of a WaveNet: z = W·[h(p − d) | h(p) | c(p)] + b, g = tanh(z₁)·σ(z₂), skip += and h ← h + of Wo·g + bo, of
// which the first S are the skip.
#pragma once
#include <vector>

#include "reference/reference.h"

namespace flow::reference {

// A matrix of doubles of its own.
struct WaveTable {
  std::vector<double> data;
  int64_t rows, cols;

  WaveTable(int64_t r, int64_t c) : data(static_cast<size_t>(r * c)), rows(r), cols(c) {}
  double& operator()(int64_t r, int64_t c) { return data[static_cast<size_t>(r * cols + c)]; }
};

struct Wave {
  int64_t rows, length, R, G, S, C, layers;
  const Call* call;
  int first, stride, wo_at;

  const Operand& in(int64_t l, int i) const { return call->in[first + stride * l + i]; }
  int64_t dilation(int64_t l) const { return call->int_attr(1 + static_cast<int>(l)); }
  int64_t outputs(int64_t l) const { return l + 1 < layers ? S + R : S; }
};

inline bool read_wave(const Call& call, const Operand& x, const Operand& c, int first, int stride, int wo_at, Wave& w) {
  w = {x.rows, 0, x.cols, 0, 0, c.absent() ? 0 : c.cols, call.n_attr - 1, &call, first, stride, wo_at};
  FLOW_AGREE(call, w.layers >= 1 && call.n_in == first + stride * static_cast<int>(w.layers));
  for (int i = 0; i < call.n_attr; ++i) FLOW_AGREE(call, call.attr[i] >= 1 && call.attr[i] < 1e9);
  w.length = call.int_attr(0);
  w.G = w.in(w.layers - 1, wo_at).cols;
  w.S = w.in(w.layers - 1, wo_at).rows;
  FLOW_AGREE(call, x.rows % w.length == 0 && (c.absent() || is(c, x.rows, w.C, x.dtype)));
  for (int64_t l = 0; l < w.layers; ++l)
    FLOW_AGREE(call, is(w.in(l, 0), 2 * w.G, 2 * w.R + w.C, x.dtype) && is(w.in(l, wo_at), w.outputs(l), w.G, x.dtype));
  return true;
}

}  // namespace flow::reference
