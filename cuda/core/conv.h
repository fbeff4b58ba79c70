// Convolutions as products (core/product.h) whose rules find the pixels: nothing is gathered first.
//
// Images, taps and attributes: native/ops/conv2d_operands.h. A kernel is the list of its live taps; the weights of tap (dy, dx) are the columns
// block·inputs … of the weight.
#pragma once
#include "cuda/core/divide.h"
#include "cuda/core/linear.h"
#include "ops/conv2d_operands.h"

namespace flow::cuda {

inline constexpr int max_taps = 128;  // they are an argument of the launch

struct ConvTap {
  int32_t dy, dx;
  int16_t block;
  int16_t live;
};
struct Taps {
  ConvTap tap[max_taps];
};

struct ConvShape {
  int64_t height = 1, width = 1, blocks = 1, inputs = 1, outputs = 1, live = 0;
  Taps taps;      // the live ones
  Taps by_block;  // all

  ConvShape() : taps{}, by_block{} {}
};

/** Attributes from `at` on, with `live` taps. */
inline bool read_conv(const Call& call, int at, int64_t live, int64_t rows, int64_t outputs, int64_t weight_cols, ConvShape& shape) {
  return read_conv_geometry(call, at, live, rows, outputs, weight_cols, max_taps, shape,
                            [&](int64_t tap, int32_t place, int32_t dy, int32_t dx) {
                              shape.taps.tap[tap] = {dy, dx, static_cast<int16_t>(place), 1};
                              shape.by_block.tap[place] = shape.taps.tap[tap];
                            });
}
/** All attributes are those of one convolution. */
inline bool read_conv(const Call& call, int64_t rows, int64_t outputs, int64_t weight_cols, ConvShape& shape) {
  const int64_t live = count_live_taps(call);
  return live >= 0 && read_conv(call, 0, live, rows, outputs, weight_cols, shape);
}

/** Whether the pixel (h, w) lies in the image. */
__device__ __forceinline__ bool inside(int h, int w, int height, int width) {
  return static_cast<unsigned>(h) < static_cast<unsigned>(height) && static_cast<unsigned>(w) < static_cast<unsigned>(width);
}

/** Row i: a pixel; depth k = tap·channels + channel: what the tap reads there, or with `sign` −1 the pixel that reads it by the tap. */
template <class T>
struct TappedPixels {
  static constexpr bool deep = true;
  struct Row {
    const T* p;
    int h, w;
  };
  struct Depth {
    int64_t offset;
    int dy, dx;
  };
  const T* x;
  int64_t ld;
  int height, width, sign;
  Divisor by_width, by_height, by_channels;
  Taps taps;

  __device__ __forceinline__ Row row(int64_t, int64_t i) const {
    int64_t w = i;
    int64_t h = by_width.split(w);
    by_height.split(h);
    return {x + i * ld, static_cast<int>(h), static_cast<int>(w)};
  }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    int64_t channel = k;
    const int64_t t = by_channels.split(channel);
    const int dy = sign * taps.tap[t].dy, dx = sign * taps.tap[t].dx;
    return {(static_cast<int64_t>(dy) * width + dx) * ld + channel, dy, dx};
  }
  __device__ __forceinline__ T load(const Row& row, const Depth& d) const {
    return inside(row.h + d.dy, row.w + d.dx, height, width) ? row.p[d.offset] : T(0);
  }
};

/** Row j: an output; depth k = tap·inputs + input. */
template <class T>
struct TapWeights {
  static constexpr bool deep = true;
  using Row = const T*;
  using Depth = int64_t;
  const T* weight;
  int64_t ld, inputs;
  Divisor by_inputs;
  Taps taps;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const { return weight + j * ld; }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    const int64_t t = by_inputs.split(k);
    return taps.tap[t].block * inputs + k;
  }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};
/** Row j: an input; depth k = tap·outputs + output. */
template <class T>
struct TapWeightsTurned {
  static constexpr bool deep = false;
  using Row = int64_t;
  using Depth = const T*;
  const T* weight;
  int64_t ld, inputs;
  Divisor by_outputs;
  Taps taps;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const { return j; }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    const int64_t t = by_outputs.split(k);
    return weight + k * ld + taps.tap[t].block * inputs;
  }
  __device__ __forceinline__ T load(Row j, Depth p) const { return p[j]; }
};

/** Row j = block·inputs + input; depth k: a pixel, and what the tap of the block reads there. */
template <class T>
struct PixelsByTap {
  static constexpr bool deep = false;
  struct Row {
    int64_t offset;
    int dy, dx;
  };
  struct Depth {
    const T* p;
    int h, w;
  };
  const T* x;
  int64_t ld;
  int height, width;
  Divisor by_width, by_height, by_inputs;
  Taps by_block;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const {
    const int64_t block = by_inputs.split(j);
    const ConvTap& tap = by_block.tap[block];
    // A dead tap reads beyond every image.
    if (!tap.live) return {0, -height, 0};
    return {(static_cast<int64_t>(tap.dy) * width + tap.dx) * ld + j, tap.dy, tap.dx};
  }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    int64_t w = k;
    int64_t h = by_width.split(w);
    by_height.split(h);
    return {x + k * ld, static_cast<int>(h), static_cast<int>(w)};
  }
  __device__ __forceinline__ T load(const Row& row, const Depth& d) const {
    return inside(d.h + row.dy, d.w + row.dx, height, width) ? d.p[row.offset] : T(0);
  }
};

/** All pixels, or none for a tile of dead taps; the first tile of each row of tiles has them all where rows are summed. */
struct LiveTiles {
  int64_t pixels, columns;
  bool sums;
  Divisor by_inputs;
  Taps by_block;
  __device__ __forceinline__ Span operator()(int64_t, int64_t, int64_t first, void*) const {
    if (sums && first == 0) return {0, pixels};
    const int64_t last = first + tile_side < columns ? first + tile_side : columns;
    bool live = false;
    for (int64_t block = by_inputs.quotient(first), end = by_inputs.quotient(last - 1); block <= end; ++block)
      live = live || by_block.tap[block].live;
    return {0, live ? pixels : 0};
  }
};

inline ProductShape grad_input_shape(const ConvShape& s, int64_t pixels) { return {pixels, s.inputs, s.live * s.outputs}; }
inline ProductShape grad_weight_shape(const ConvShape& s, int64_t pixels) { return {s.outputs, s.blocks * s.inputs, pixels}; }

/** Epilogue(Σ_t pixels(i, t)·W_t), forward; the weight turned and the taps mirrored, backward. */
template <class T>
bool conv_forward(const Call& call, const ConvShape& s, const Operand& x, const Operand& weight, const Epilogue<T>& epilogue) {
  const ProductShape shape{x.rows, s.outputs, s.live * s.inputs};
  const TappedPixels<T> a{x.as<const T>(), x.ld,           static_cast<int>(s.height), static_cast<int>(s.width), 1, Divisor(s.width),
                          Divisor(s.height), Divisor(s.inputs), s.taps};
  const TapWeights<T> b{weight.as<const T>(), weight.ld, s.inputs, Divisor(s.inputs), s.taps};
  return product<T>(call, shape, a, b, WholeDepth{shape.k}, epilogue);
}
/** `range`: what of grad_input_shape's k is needed; `out` takes the values. */
template <class T, class Range, class Out>
bool conv_grad_input(const Call& call, const ConvShape& s, const Operand& dL_dy, const Operand& weight, const Out& out,
                     const Range& range, void* memory) {
  const ProductShape shape = grad_input_shape(s, dL_dy.rows);
  const TappedPixels<T> a{dL_dy.as<const T>(), dL_dy.ld,       static_cast<int>(s.height), static_cast<int>(s.width), -1,
                          Divisor(s.width),    Divisor(s.height), Divisor(s.outputs),         s.taps};
  const TapWeightsTurned<T> b{weight.as<const T>(), weight.ld, s.inputs, Divisor(s.outputs), s.taps};
  return product<T>(call, shape, a, b, range, out, NoRowSums{}, memory);
}
template <class T>
bool conv_grad_input(const Call& call, const ConvShape& s, const Operand& dL_dy, const Operand& weight, const Epilogue<T>& epilogue,
                     void* memory = nullptr) {
  return conv_grad_input<T>(call, s, dL_dy, weight, epilogue, WholeDepth{grad_input_shape(s, dL_dy.rows).k}, memory);
}
template <class T>
bool conv_grad_weight(const Call& call, const ConvShape& s, const Operand& dL_dy, const Operand& x, const Operand& dL_dW, T* dL_dbias,
                      void* memory = nullptr) {
  const ProductShape shape = grad_weight_shape(s, x.rows);
  const ByColumns<T> a{dL_dy.as<const T>(), dL_dy.ld};
  const PixelsByTap<T> b{x.as<const T>(), x.ld, static_cast<int>(s.height), static_cast<int>(s.width), Divisor(s.width),
                         Divisor(s.height), Divisor(s.inputs), s.by_block};
  const LiveTiles range{shape.k, shape.n, dL_dbias != nullptr, Divisor(s.inputs), s.by_block};
  return weight_product<T>(call, shape, a, b, range, dL_dW, dL_dbias, memory);
}

}  // namespace flow::cuda
