// What residual_series reads of its layers, on either device. Comes after max_of of the device.
//
// in: v, q float64 [1 or N, K], then (weight, slopes before it or absent) a layer; out: weighted (perhaps absent), series [N]
// float64; attributes: positions of a sample, then for each layer the number of live taps, 0 for a linear map, and behind it, for
// a convolution, what ops/conv2d_operands.h lists.
#pragma once
#include "ops/conv2d_operands.h"
#include "ops/mlp_operands.h"

namespace flow::FLOW_ISA {

template <class Shape>
struct ResidualLayer {
  Shape shape;  // live 0: a linear map
  const Operand* weight;
  const Operand* slopes;  // null: none
  int64_t units, inputs;
};

template <class Shape>
struct ResidualLayers {
  int64_t rows, positions, samples, layers, widest;
  bool images;  // not only linear maps of tables
  ResidualLayer<Shape> layer[max_layers];
};

/** read(layer, at, live) reads a convolution. */
template <class Shape, class Read>
bool read_residual_series(const Call& call, ResidualLayers<Shape>& s, const Read& read) {
  const Operand &v = call.in[0], &q = call.in[1], &weighted = call.out[0];
  s.layers = (call.n_in - 2) / 2;
  FLOW_CHECK(call, s.layers >= 1 && s.layers <= max_layers && call.n_in == 2 + 2 * s.layers, "operands: expected 2 + 2 a layer, got %d",
             call.n_in);
  FLOW_CHECK(call, call.n_attr >= 1 + s.layers && whole_between(call.attr[0], 1, 1 << 30),
             "attributes: expected positions and one number a layer at least, got %d", call.n_attr);
  s.rows = v.rows;
  s.positions = call.int_attr(0);
  FLOW_CHECK(call, s.rows % s.positions == 0, "v: expected a multiple of %lld rows, got %lld", ll(s.positions), ll(s.rows));
  s.samples = s.rows / s.positions;
  FLOW_CHECK(call, q.dtype == DType::f64 && (q.rows == 1 || q.rows == s.samples), "q: expected float64 of 1 or %lld rows, got %s of %lld",
             ll(s.samples), name_of(q.dtype), ll(q.rows));
  if (!check_log_det(call, call.out[1], "series", s.samples)) return false;
  if (!weighted.absent() && !check_shape(call, weighted, "weighted", s.rows, v.cols, v.dtype)) return false;
  int at = 1;
  s.images = s.positions > 1;
  s.widest = 1;
  int64_t inputs = v.cols;
  for (int64_t l = 0; l < s.layers; ++l) {
    ResidualLayer<Shape>& layer = s.layer[l];
    layer.weight = &call.in[2 + 2 * l];
    layer.slopes = call.in[3 + 2 * l].absent() ? nullptr : &call.in[3 + 2 * l];
    layer.inputs = inputs;
    layer.units = layer.weight->rows;
    FLOW_CHECK(call, at < call.n_attr && whole_between(call.attr[at], 0, call.n_attr / 3),
               "attributes: expected the taps of %lld layers, got %d numbers", ll(s.layers), call.n_attr);
    const int64_t live = call.int_attr(at++);
    int64_t blocks = 1;
    if (live > 0) {
      FLOW_CHECK(call, at + conv_header + 3 * live <= call.n_attr, "attributes: expected three numbers a live tap, got %d in all",
                 call.n_attr);
      if (!read(layer, at, live)) return false;
      FLOW_CHECK(call, layer.shape.height * layer.shape.width == s.positions, "image: expected %lld positions, got %lld × %lld",
                 ll(s.positions), ll(layer.shape.height), ll(layer.shape.width));
      blocks = layer.shape.blocks;
      at += conv_header + static_cast<int>(3 * live);
      s.images = true;
    }
    if (!check_shape(call, *layer.weight, "weight", layer.units, blocks * inputs, v.dtype)) return false;
    if (layer.slopes && !check_shape(call, *layer.slopes, "slopes", s.rows, inputs, v.dtype)) return false;
    s.widest = max_of(s.widest, max_of(inputs, layer.units));
    inputs = layer.units;
  }
  FLOW_CHECK(call, at == call.n_attr, "attributes: expected %d numbers, got %d", at, call.n_attr);
  FLOW_CHECK(call, inputs == v.cols, "layers: expected %lld outputs of the last, as inputs of the first, got %lld", ll(v.cols), ll(inputs));
  return true;
}

}  // namespace flow::FLOW_ISA
