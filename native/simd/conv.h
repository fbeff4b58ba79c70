// Convolutions over images whose pixels are rows [images·height·width, channels], stride 1.
//
// A kernel is the list of its live taps: tap t of the pixel at (h, w) reads the pixel (h + dy, w + dx), or zeros
// outside of the image. So padding, dilation, causality and masked kernels are one thing here, and a tap that is
// masked out costs nothing. The work is cut by the sizes alone and every sum has a fixed order: results are the same
// bit for bit with any number of threads.
//
// Scratch slots 0–3 of core/scratch.h are used.
#pragma once

#include "gemm.h"

namespace flow::FLOW_ISA {

/** A live tap: where it reads, and which block of `inputs` columns of the weight it multiplies. */
struct ConvTap {
  int32_t block, dy, dx;
};

/** weight [outputs, blocks·inputs], blocks = taps of the whole kernel, dead ones included. */
struct ConvShape {
  int64_t images, height, width;
  int64_t inputs, outputs;
  int64_t blocks;
  const ConvTap* taps;
  int64_t live;  // number of taps

  int64_t pixels() const { return images * height * width; }
};

/** y [pixels, outputs] = epilogue(Σ_t x[pixel + tap t] · W_tᵀ). */
template <class T>
void conv_forward(const ConvShape& shape, const T* x, int64_t x_ld, const T* w, int64_t w_ld, T* y, int64_t y_ld,
                  const Epilogue<T>& epilogue = {});

/** dL_dx [pixels, inputs] = epilogue(Σ_t dL_dy[pixel − tap t] · W_t). */
template <class T>
void conv_grad_input(const ConvShape& shape, const T* dL_dy, int64_t dy_ld, const T* w, int64_t w_ld, T* dL_dx,
                     int64_t dx_ld, const Epilogue<T>& epilogue = {});

/**
 * dL_dW [outputs, blocks·inputs]: dL_dW_t = Σ_pixels dL_dy[pixel]ᵀ · x[pixel + tap t]; zero for dead taps.
 * dL_db [outputs], or null: the column sums of dL_dy, with the bits of column_sums.
 */
template <class T>
void conv_grad_weight(const ConvShape& shape, const T* dL_dy, int64_t dy_ld, const T* x, int64_t x_ld, T* dL_dW,
                      int64_t dw_ld, T* dL_db = nullptr);

}  // namespace flow::FLOW_ISA
