// The layers of conv_stack: their number, and for each the number of live taps and the attributes of conv2d.
#pragma once
#include <vector>

#include "reference/conv2d.h"

namespace flow::reference {

struct Stacked {
  Image image;
  Activation act;
  double param;
};

// False unless the attributes and the weights, from input 2 on, fit x.
inline bool read_layers(const Call& call, const Operand& x, std::vector<Stacked>& layers) {
  if (call.n_attr < 1 || call.n_in < 4 || call.n_in != 2 + 2 * call.int_attr(0)) return false;
  int64_t inputs = x.cols;
  int at = 1;
  for (int64_t k = 0; k < call.int_attr(0); ++k) {
    if (at + 6 > call.n_attr) return false;
    const int64_t live = call.int_attr(at);
    if (live < 0 || at + 6 + 3 * live > call.n_attr || !is_activation(call.attr[at + 4])) return false;
    const Image image(call.attr + at + 1, live);
    const Operand& w = call.in[2 + 2 * k];
    if (!image.fits(x.rows, w.cols) || w.cols != image.blocks * inputs || w.dtype != x.dtype) return false;
    layers.push_back({image, static_cast<Activation>(call.int_attr(at + 4)), call.attr[at + 5]});
    inputs = w.rows;
    at += static_cast<int>(6 + 3 * live);
  }
  return at == call.n_attr;
}

}  // namespace flow::reference
