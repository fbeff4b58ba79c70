// What the maps of flows share: their operands, and the sum of a log-determinant.
#pragma once
#include "ops/kernel.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {

// A vector of n numbers: [n] (1 × n) or a column n × 1.
template <class T>
struct VectorView {
  T* data;
  int64_t stride;
  T& operator[](int64_t i) const { return data[i * stride]; }
};

template <class T>
VectorView<T> vector_view(const Operand& operand) {
  return {operand.as<T>(), operand.rows <= 1 ? 1 : operand.ld};
}

// Sum of lanes in float64, in a fixed order.
struct LogDetSum {
  Vec<double> low{0.0}, high{0.0};
  FLOW_INLINE void add(Vec<float> a) {
    Vec<double> l, h;
    widen(a, l, h);
    low += l;
    high += h;
  }
  FLOW_INLINE void add(Vec<double> a) { low += a; }
  FLOW_INLINE Vec<double> lanes() const { return low + high; }
  FLOW_INLINE double total() const { return horizontal_sum(lanes()); }
};

// sums[i] ← the sums of the lanes of rows[i], each as horizontal_sum takes it, for a register of rows at once.
FLOW_INLINE void sum_lanes(Vec<double>* rows, double* sums) {
  transpose(rows);
  for (int half = Vec<double>::width / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) rows[i] += rows[i + half];
  store(sums, rows[0]);
}

// pass(first row, last row) gives a LogDetSum of rows of one sample: sums[sample] ← sign·its total over the rows of the sample,
// sign 1 or −1. Tasks are some samples, or a piece of a large one, cut by the sizes only.
template <class F>
inline void sum_by_sample(int64_t samples, int64_t positions, int64_t bytes_per_row, VectorView<double> sums, double sign,
                          const F& pass) {
  const int64_t rows = max_of(1, task_bytes / max_of(1, bytes_per_row));  // of a task
  if (positions <= 2 * rows) {
    constexpr int64_t w = Vec<double>::width;
    const int64_t chunk = max_of(1, rows / positions);
    parallel(ceil_div(samples, chunk), [&](int64_t task) {
      const int64_t last = min_of(samples, (task + 1) * chunk);
      int64_t n = task * chunk;
      for (; n + w <= last; n += w) {
        Vec<double> lanes[w];
        double totals[w];
        for (int64_t i = 0; i < w; ++i) lanes[i] = pass((n + i) * positions, (n + i + 1) * positions).lanes();
        sum_lanes(lanes, totals);
        for (int64_t i = 0; i < w; ++i) sums[n + i] = 0.0 + sign * totals[i];  // never −0
      }
      for (; n < last; ++n) sums[n] = 0.0 + sign * pass(n * positions, (n + 1) * positions).total();
    });
    return;
  }
  const int64_t pieces = ceil_div(positions, rows);
  double* partial = static_cast<double*>(scratch(static_cast<size_t>(max_of(1, samples * pieces)) * sizeof(double), 4));
  parallel(samples * pieces, [&](int64_t task) {
    const int64_t n = task / pieces, piece = task % pieces;
    const int64_t first = n * positions + piece * positions / pieces;
    partial[task] = pass(first, n * positions + (piece + 1) * positions / pieces).total();
  });
  for (int64_t n = 0; n < samples; ++n) {
    double total = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) total += partial[n * pieces + piece];
    sums[n] = 0.0 + sign * total;
  }
}

}  // namespace flow::FLOW_ISA
