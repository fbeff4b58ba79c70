// What the convolution ops read of their operands and attributes, on either device.
//
// Images are rows of pixels [images·height·width, channels]. attributes: height, width, taps of the whole kernel, activation, its
// parameter, then three numbers a live tap: its place in the kernel (which block of inputs columns of the weight), dy, dx. Tap (dy, dx) of
// the pixel (h, w) reads the pixel (h + dy, w + dx), or zeros outside of the image.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int conv_header = 5;

/**
 * The geometry in the attributes from `at` on, of `live` taps: put(tap, place, dy, dx) takes each. Pixels are `rows`; the weight is
 * [outputs, kernel taps · inputs]. A GPU has them in the arguments of a launch: `most_taps`, or 0.
 */
template <class Shape, class Put>
bool read_conv_geometry(const Call& call, int at, int64_t live, int64_t rows, int64_t outputs, int64_t weight_cols, int most_taps,
                        Shape& shape, const Put& put) {
  const double height = call.attr[at], width = call.attr[at + 1], blocks = call.attr[at + 2];
  constexpr double most = 1 << 30;
  FLOW_CHECK(call, whole_between(height, 1, most) && whole_between(width, 1, most),
             "image: expected height and width from 1, got %g × %g", height, width);
  FLOW_CHECK(call, whole_between(blocks, 1, most), "taps: expected from 1, got %g", blocks);
  FLOW_CHECK(call, most_taps == 0 || blocks <= most_taps, "taps: expected at most %d on a GPU, got %g", most_taps, blocks);
  shape.height = static_cast<int64_t>(height);
  shape.width = static_cast<int64_t>(width);
  shape.blocks = static_cast<int64_t>(blocks);
  const int64_t pixels = shape.height * shape.width;
  FLOW_CHECK(call, rows % pixels == 0, "rows: expected a multiple of height·width = %lld, got %lld", ll(pixels), ll(rows));
  FLOW_CHECK(call, weight_cols % shape.blocks == 0, "weight: expected a multiple of %lld columns, one block a tap, got %lld",
             ll(shape.blocks), ll(weight_cols));
  shape.inputs = weight_cols / shape.blocks;
  shape.outputs = outputs;
  shape.live = live;
  int64_t before = -1;
  for (int64_t t = 0; t < live; ++t) {
    const double* attr = call.attr + at + conv_header + 3 * t;
    FLOW_CHECK(call, whole_between(attr[0], static_cast<double>(before + 1), blocks - 1),
               "tap %lld: expected a place in the kernel above %lld and below %g, got %g", ll(t), ll(before), blocks, attr[0]);
    FLOW_CHECK(call, whole_between(attr[1], -most, most) && whole_between(attr[2], -most, most),
               "tap %lld: expected whole steps, got (%g, %g)", ll(t), attr[1], attr[2]);
    before = static_cast<int64_t>(attr[0]);
    put(t, static_cast<int32_t>(before), static_cast<int32_t>(attr[1]), static_cast<int32_t>(attr[2]));
  }
  return true;
}

/** The live taps of an op that has one convolution, all of whose attributes are its; −1 after call.fail(). */
inline int64_t count_live_taps(const Call& call) {
  if (call.n_attr >= conv_header && (call.n_attr - conv_header) % 3 == 0) return (call.n_attr - conv_header) / 3;
  call.fail("attributes: expected height, width, taps, activation, parameter and three numbers a live tap, got %d numbers", call.n_attr);
  return -1;
}

/** x, weight, bias or absent, addend or absent → y. */
template <class Shape>
bool read_conv2d(const Call& call, Shape& shape, Activation& act, double& param) {
  const Operand &x = call.in[0], &weight = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  if (!read_conv(call, x.rows, weight.rows, weight.cols, shape) || !read_activation(call, 3, act, param)) return false;
  const int64_t rows = x.rows, outputs = shape.outputs;
  if (!check_shape(call, x, "x", rows, shape.inputs, x.dtype) ||
      !check_shape(call, weight, "weight", outputs, weight.cols, x.dtype) || !check_shape(call, y, "y", rows, outputs, x.dtype))
    return false;
  if (!bias.absent() && !check_shape(call, bias, "bias", 1, outputs, x.dtype)) return false;
  return addend.absent() || check_shape(call, addend, "addend", rows, outputs, x.dtype);
}

/** dL_dy, weight, x or absent → dL_dx. */
template <class Shape>
bool read_conv2d_grad_input(const Call& call, Shape& shape, Activation& act, double& param) {
  const Operand &dL_dy = call.in[0], &weight = call.in[1], &x = call.in[2], &dL_dx = call.out[0];
  if (!read_conv(call, dL_dy.rows, weight.rows, weight.cols, shape) || !read_activation(call, 3, act, param)) return false;
  const int64_t rows = dL_dy.rows;
  if (!check_shape(call, dL_dy, "dL_dy", rows, shape.outputs, dL_dy.dtype) ||
      !check_shape(call, weight, "weight", shape.outputs, weight.cols, dL_dy.dtype) ||
      !check_shape(call, dL_dx, "dL_dx", rows, shape.inputs, dL_dy.dtype))
    return false;
  FLOW_CHECK(call, x.absent() == (act == Activation::none) || dL_dx.count() == 0,
             "x: expected the output of an activation, or neither of the two");
  FLOW_CHECK(call, act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  return x.absent() || check_shape(call, x, "x", rows, shape.inputs, dL_dy.dtype);
}

/** dL_dy, x → dL_dW, and perhaps dL_db. */
template <class Shape>
bool read_conv2d_grad_weight(const Call& call, Shape& shape) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  FLOW_CHECK(call, call.n_out == 1 || call.n_out == 2, "outputs: expected one or two, got %d", call.n_out);
  if (!read_conv(call, dL_dy.rows, dL_dy.cols, dL_dW.cols, shape)) return false;
  FLOW_CHECK(call, call.attr[3] == 0, "activation: expected none (0), got %g", call.attr[3]);
  if (!check_shape(call, x, "x", dL_dy.rows, shape.inputs, dL_dy.dtype) ||
      !check_shape(call, dL_dW, "dL_dW", shape.outputs, dL_dW.cols, dL_dy.dtype))
    return false;
  return call.n_out == 1 || check_shape(call, call.out[1], "dL_db", 1, shape.outputs, dL_dy.dtype);
}

}  // namespace flow::FLOW_ISA
