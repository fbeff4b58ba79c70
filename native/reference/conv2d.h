// The loops of the convolution ops, and their geometry: height, width, taps of the whole kernel, activation, its parameter, and place, dy, dx
// of each live tap.
#pragma once
#include <type_traits>
#include <utility>

#include "reference/activation.h"

namespace flow::reference {

// The type of an element of a matrix or a table.
template <class M>
using lane = std::remove_cv_t<std::remove_reference_t<decltype(std::declval<const M&>()(0, 0))>>;

struct Image {
  int64_t height, width, blocks, taps;
  const double* tap;  // place, dy, dx

  explicit Image(const Call& call) : Image(call.attr, (call.n_attr - 5) / 3) {}
  Image(const double* attr, int64_t live)
      : height(static_cast<int64_t>(attr[0])), width(static_cast<int64_t>(attr[1])), blocks(static_cast<int64_t>(attr[2])),
        taps(live), tap(attr + 5) {}
  int64_t place(int64_t t) const { return static_cast<int64_t>(tap[3 * t]); }

  // The row of the pixel that tap t reads from row p (sign 1), or that reads p by it (−1); −1 outside of the image.
  int64_t reads(int64_t p, int64_t t, int64_t sign = 1) const {
    const int64_t w = p % width + sign * static_cast<int64_t>(tap[3 * t + 2]);
    const int64_t h = p / width % height + sign * static_cast<int64_t>(tap[3 * t + 1]);
    if (h < 0 || h >= height || w < 0 || w >= width) return -1;
    return p / (width * height) * (width * height) + h * width + w;
  }

  bool fits(int64_t rows, int64_t weight_cols) const {
    if (taps < 0 || height < 1 || width < 1 || blocks < 1 || rows % (height * width) != 0) return false;
    for (int64_t t = 0; t < taps; ++t)
      if (place(t) < 0 || place(t) >= blocks) return false;
    return weight_cols % blocks == 0;
  }
};

// y[p, o] = act(Σ_t Σ_i x[p + tap t, i] · w[o, t, i] + bias[o] + addend[p, o]).
template <class T>
void convolve(const Image& image, const Matrix<T>& x, const Matrix<T>& w, const Operand& bias, const Operand& addend,
              Activation act, double param, const Matrix<T>& y) {
  for (int64_t p = 0; p < y.rows; ++p) {
    for (int64_t o = 0; o < y.cols; ++o) {
      double sum = 0;
      for (int64_t t = 0; t < image.taps; ++t) {
        const int64_t from = image.reads(p, t);
        if (from < 0) continue;
        for (int64_t i = 0; i < x.cols; ++i)
          sum += static_cast<double>(x(from, i)) * static_cast<double>(w(o, image.place(t) * x.cols + i));
      }
      if (!bias.absent()) sum += static_cast<double>(Vector<T>(bias)(o));
      if (!addend.absent()) sum += static_cast<double>(Matrix<T>(addend)(p, o));
      y(p, o) = static_cast<T>(activate(act, sum, param));
    }
  }
}

// value · act'(z) with act' written in y.
inline double through(Activation act, double value, double y, double param) {
  if (act == Activation::relu) return y > 0 ? value : 0;  // a choice: 0·inf is NaN
  return act == Activation::none ? value : value * slope_of(act, y, param);
}

// dx[q, i] = Σ_t Σ_o dy[q − tap t, o] · w[o, t, i] (· act'(y[q, i])).
template <class D, class T, class X>
void convolve_back(const Image& image, const D& dy, const Matrix<T>& w, Activation act, double param, const Operand& y,
                   const X& dx) {
  for (int64_t q = 0; q < dx.rows; ++q) {
    for (int64_t i = 0; i < dx.cols; ++i) {
      double sum = 0;
      for (int64_t t = 0; t < image.taps; ++t) {
        const int64_t from = image.reads(q, t, -1);
        if (from < 0) continue;
        for (int64_t o = 0; o < dy.cols; ++o)
          sum += static_cast<double>(dy(from, o)) * static_cast<double>(w(o, image.place(t) * dx.cols + i));
      }
      dx(q, i) = static_cast<lane<X>>(act == Activation::none ? sum : through(act, sum, Matrix<T>(y)(q, i), param));
    }
  }
}

// dw[o, t, i] = Σ_p dy[p, o] · x[p + tap t, i], 0 where a tap is not live; db[o] = Σ_p dy[p, o].
template <class D, class T>
void correlate(const Image& image, const D& dy, const Matrix<T>& x, const Operand& dL_dW, const Operand& dL_db) {
  for (int64_t o = 0; o < dy.cols; ++o) {
    if (!dL_dW.absent()) {
      const Matrix<T> dw{dL_dW};
      for (int64_t k = 0; k < dw.cols; ++k) dw(o, k) = 0;
      for (int64_t t = 0; t < image.taps; ++t) {
        for (int64_t i = 0; i < x.cols; ++i) {
          double sum = 0;
          for (int64_t p = 0; p < x.rows; ++p) {
            const int64_t from = image.reads(p, t);
            if (from >= 0) sum += static_cast<double>(dy(p, o)) * static_cast<double>(x(from, i));
          }
          dw(o, image.place(t) * x.cols + i) = static_cast<T>(sum);
        }
      }
    }
    if (dL_db.absent()) continue;
    double sum = 0;
    for (int64_t p = 0; p < dy.rows; ++p) sum += static_cast<double>(dy(p, o));
    const Vector<T> db(dL_db);
    db(o) = static_cast<T>(sum);
  }
}

inline Operand nothing() { return {nullptr, DType::f32, 0, 0, 0}; }

}  // namespace flow::reference
