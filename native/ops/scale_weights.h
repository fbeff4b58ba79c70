// The rows of a layer's weight times a factor each: what scale_weights and its gradient share.
//
// Row o of the weight v [O, I] is multiplied by s = e·g, that of the bias by e, with
//   e = exp(factor·log_scale_o), or 1 without log_scale: the output's scale of Kingma, Dhariwal 2018
//   g = gain_o/‖v_o‖, or 1 without gain: Salimans, Kingma 2016
// Sums and scales are float64, and rounded once.
#pragma once
#include "ops/linear.h"
#include "ops/scale_weights_operands.h"
#include "ops/tensor_list.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {

// in[0 … 3] = weight [O, I], bias [O], log_scale [O], gain [O]; all but the weight may be absent.
struct ScaledLayer {
  const Operand *weight, *bias, *log_scale, *gain;
  double factor;

  explicit ScaledLayer(const Operand* in, double its_factor)
      : weight(in), bias(in + 1), log_scale(in + 2), gain(in + 3), factor(its_factor) {}

  template <class T>
  double outer(int64_t o) const {
    return log_scale->absent() ? 1 : exp(factor * static_cast<double>(log_scale->as<T>()[o]));
  }
};

// Σ a·b of a row, in float64.
FLOW_INLINE double row_dot(const float* a, const float* b, int64_t count) {
  Vec<double> s0(0.0), s1(0.0);
  for_lanes<Vec<float>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    Vec<double> a0, a1, b0, b1;
    widen(load_live(a + i, live), a0, a1);
    widen(load_live(b + i, live), b0, b1);
    s0 = fma(a0, b0, s0);
    s1 = fma(a1, b1, s1);
  });
  return horizontal_sum(s0 + s1);
}
FLOW_INLINE double row_dot(const double* a, const double* b, int64_t count) {
  Vec<double> s(0.0);
  for_lanes<Vec<double>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA { s = fma(load_live(a + i, live), load_live(b + i, live), s); });
  return horizontal_sum(s);
}

// Runs body(layer, row) for the rows of `layers` weights, weights[k·step]: in tasks of rows, by the sizes only. Scratch slot 4.
template <class F>
void for_weight_rows(const Operand* weights, int step, int layers, const F& body) {
  int64_t* first = static_cast<int64_t*>(scratch(static_cast<size_t>(layers + 1) * sizeof(int64_t), 4));
  const auto height = [&](int k) { return max_of(1, chunk_elements / max_of(1, weights[k * step].cols)); };
  first[0] = 0;
  for (int k = 0; k < layers; ++k) first[k + 1] = first[k] + ceil_div(weights[k * step].rows, height(k));
  // Small layers share a task: as many as have the elements of one.
  const int64_t total = first[layers];
  int64_t elements = 0;
  for (int k = 0; k < layers; ++k) elements += weights[k * step].count();
  const int64_t tasks = min_of(total, ceil_div(max_of(1, elements), chunk_elements));
  parallel(tasks, [&](int64_t task) {
    int k = 0;
    for (int64_t piece = task * total / tasks, end = (task + 1) * total / tasks; piece < end; ++piece) {
      while (first[k + 1] <= piece) ++k;
      const int64_t rows = weights[k * step].rows, from = (piece - first[k]) * height(k);
      for (int64_t o = from; o < min_of(rows, from + height(k)); ++o) body(k, o);
    }
  });
}

}  // namespace flow::FLOW_ISA
