// The residual layers of a WaveNet (van den Oord et al. 2016, section 2.3) over sequences whose samples are rows
// [sequences·length, channels], layer l with dilation d:
//
//   z = W·[h(p − d) | h(p) | c(p)] + b        h(p − d) is 0 before the start of the sequence
//   g = tanh(z_1…G) ⊙ σ(z_G+1…2G)
//   skip += Wo_1…S·g + bo_1…S                 h ← h + Wo_S+1…S+R·g + bo_S+1…S+R        the last layer has no h
//
// A block of rows goes through all of a layer while it is in the cache; the threads meet once a layer. The work is cut by the
// sizes alone and every sum has a fixed order: results are the same bit for bit with any number of threads, and those of a row
// do not depend on the block that it stands in.
//
// Scratch slots 0–6 are used.
#pragma once

#include "gemm.h"
#include "math/wave_shape.h"

namespace flow::FLOW_ISA {

template <class T>
struct WaveMatrix {
  T* data = nullptr;
  int64_t ld = 0;

  explicit operator bool() const { return data != nullptr; }
  T* row(int64_t r) const { return data + r * ld; }
};

template <class T>
struct WaveLayer {
  int64_t dilation;
  WaveMatrix<const T> w;   // [2G, 2R + C]
  const T* b;              // [2G]
  WaveMatrix<const T> wo;  // [S + R, G], of the last layer [S, G]
  const T* bo;
  WaveMatrix<T> gates;     // [rows, 2G]: tanh | σ; forward: may be absent
  WaveMatrix<T> h;         // [rows, R]: what the layer reads; forward: absent in the layers after the first
};

/** What a backward pass writes for a layer; absent: not wanted. */
template <class T>
struct WaveGradient {
  WaveMatrix<T> dL_dw;
  T* dL_db;
  WaveMatrix<T> dL_dwo;
  T* dL_dbo;

  bool any() const { return dL_dw || dL_db || dL_dwo || dL_dbo; }
};

/** skip [rows, S]. The h of the layers after the first are written where they are there. */
template <class T>
void wave_stack_forward(const WaveShape& shape, const WaveLayer<T>* layers, WaveMatrix<const T> condition, WaveMatrix<T> skip);

/** dL_dx [rows, R] and dL_dc [rows, C] may be absent. */
template <class T>
void wave_stack_backward(const WaveShape& shape, const WaveLayer<T>* layers, WaveMatrix<const T> condition,
                         WaveMatrix<const T> dL_dskip, const WaveGradient<T>* gradients, WaveMatrix<T> dL_dx,
                         WaveMatrix<T> dL_dc);

}  // namespace flow::FLOW_ISA
