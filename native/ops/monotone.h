// Increasing functions of one number with P parameters a number: the choice of the family, and passes over the numbers of
// a batch, a register of them side by side.
#pragma once
#include "ops/elementwise.h"
#include "ops/incremental.h"
#include "ops/log_det.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/monotone_dsf.h"
#include "math/monotone_logistic.h"
#include "math/monotone_polynomials.h"
#include "ops/monotone_operands.h"

namespace flow::FLOW_ISA {

// The numbers of x [N, D] and their parameters [N, D·P], number e = n·D + i.
template <class T>
struct Numbers {
  static constexpr int w = Vec<T>::width;
  int64_t cols;    // D
  int64_t params;  // P

  T* at(const Operand& x, int64_t e) const { return x.as<T>() + e / cols * x.ld + e % cols; }
  T* params_at(const Operand& p, int64_t e) const { return p.as<T>() + e / cols * p.ld + e % cols * params; }
  bool dense(const Operand& x, int64_t each) const { return x.ld == cols * each || x.rows <= 1; }

  Vec<T> load_some(const Operand& x, int64_t e, int live) const {
    if (dense(x, 1)) return load_live(at(x, e), live);
    T lanes[w] = {};
    for (int i = 0; i < live; ++i) lanes[i] = *at(x, e + i);
    return load<Vec<T>>(lanes);
  }
  void store_some(const Operand& x, int64_t e, Vec<T> v, int live) const {
    if (dense(x, 1)) return store_live(at(x, e), v, live);
    T lanes[w];
    store(lanes, v);
    for (int i = 0; i < live; ++i) *at(x, e + i) = lanes[i];
  }
  // [P][w], zeros in the lanes beyond.
  void load_params(const Operand& p, int64_t e, int live, T* tile) const {
    if (dense(p, params)) return transpose_block(params_at(p, e), params, live, params, tile, w, w);
    for (int64_t k = 0; k < params; ++k)
      for (int i = 0; i < w; ++i) tile[k * w + i] = i < live ? params_at(p, e + i)[k] : T(0);
  }
  void store_params(const Operand& p, int64_t e, int live, const T* tile) const {
    if (dense(p, params)) return transpose_block(tile, w, params, live, params_at(p, e), params, params);
    for (int i = 0; i < live; ++i)
      for (int64_t k = 0; k < params; ++k) params_at(p, e + i)[k] = tile[k * w + i];
  }
};

// Bytes that a number costs: a function or two a parameter.
template <class T>
int64_t number_cost(int64_t params, int evaluations) {
  return params * int64_t{sizeof(T)} * 4 * evaluations;
}

// body(first sample, last sample, memory) in tasks cut by the sizes only; memory: `rows` registers of the thread.
template <class T, class F>
void monotone_tasks(int64_t samples, int64_t cols, int64_t params, int evaluations, int64_t rows, const F& body) {
  parallel_rows(samples, cols * number_cost<T>(params, evaluations), [&](int64_t first, int64_t last) {
    T* memory = static_cast<T*>(scratch(static_cast<size_t>(rows * Vec<T>::width) * sizeof(T) + kVectorBytes, 5));
    body(first, last, memory);
  });
}

// Runs body(first number, live numbers) over the numbers of the samples first … last, a register at a time.
template <class T, class F>
FLOW_INLINE void each_register(int64_t first, int64_t last, int64_t cols, const F& body) {
  constexpr int w = Vec<T>::width;
  for (int64_t e = first * cols; e < last * cols; e += w) body(e, static_cast<int>(min_of(w, last * cols - e)));
}

}  // namespace flow::FLOW_ISA
