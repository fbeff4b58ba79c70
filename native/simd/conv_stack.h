// Convolutions one after another, image by image: what one layer makes of an image is still in the cache when the next reads
// it, and a backward pass keeps the gradients between layers in working memory.
//
// Scratch slots 0–6 are used.
#pragma once

#include "conv.h"

namespace flow::FLOW_ISA {

/** y [pixels, outputs] = act(Σ_t x[pixel + tap t] · W_tᵀ + bias). All layers of a stack have the images of the first. */
template <class T>
struct StackLayer {
  ConvShape shape;
  const T* w;
  int64_t w_ld;
  const T* bias;
  Activation act;
  double act_param;
  T* y;  // forward: is written; backward: is read where it is needed
  int64_t y_ld;
};

/** x is the input of the first layer; addend, or null, is added before its activation. */
template <class T>
void conv_stack_forward(const StackLayer<T>* layers, int64_t count, const T* x, int64_t x_ld, const T* addend,
                        int64_t addend_ld);

/** What a backward pass writes for a layer; null: not wanted. */
template <class T>
struct StackGradient {
  T* dL_dW;
  int64_t dw_ld;
  T* dL_db;
};

/** dL_dx and dL_daddend, the gradient before the activation of the first layer, may be null. */
template <class T>
void conv_stack_backward(const StackLayer<T>* layers, int64_t count, const T* x, int64_t x_ld, const T* dL_dy,
                         int64_t dy_ld, const StackGradient<T>* gradients, T* dL_dx, int64_t dx_ld, T* dL_daddend,
                         int64_t daddend_ld);

inline constexpr int64_t max_stack_layers = 16;

}  // namespace flow::FLOW_ISA
