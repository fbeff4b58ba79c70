// What the ops of discrete variables share on a GPU; the layout of parameters is that of native/ops/discrete_operands.h. A level that is none
// is read on the device, so it is no error: log p is −∞ and the gradient zero, as on the CPU.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "math/discrete.h"
#include "ops/discrete_operands.h"

namespace flow::cuda {

template <class X>
__device__ __forceinline__ bool is_level(X x, int64_t levels) {
  const double level = static_cast<double>(x);
  return level >= 0 && level < static_cast<double>(levels) && level == static_cast<double>(static_cast<int64_t>(level));
}

/** The largest of l[0 … n) and log Σ exp(l − largest); −∞ and NaN as on the CPU. */
template <class T>
__device__ __forceinline__ void log_sum_exp(const T* l, int64_t n, T& most, T& log_sum) {
  most = l[0];
  for (int64_t k = 1; k < n; ++k) most = max(most, l[k]);
  T sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += exp(l[k] - most);
  log_sum = log(sum);
}

/** The smallest k with u·Σ exp(l) < Σ_{j ≤ k} exp(l_j), sums from the left in float64; −1 where there is a NaN or +∞. */
template <class T>
__device__ __forceinline__ int64_t draw_category(const T* l, int64_t n, double u) {
  T most = l[0];
  for (int64_t k = 1; k < n; ++k) most = l[k] > most ? l[k] : most;
  double total = 0, sum = 0;
  for (int64_t k = 0; k < n; ++k) total += static_cast<double>(exp(l[k] - most));
  if (!(total > 0)) return -1;
  const double wanted = u * total;
  int64_t last = 0;
  for (int64_t k = 0; k < n; ++k) {
    const T e = exp(l[k] - most);
    if (!(e > T(0))) continue;
    sum += static_cast<double>(e);
    last = k;
    if (sum > wanted) return k;
  }
  return last;
}

/** The same by a warp, whose lanes take pieces of the numbers one behind the other; all come, and all get it. */
template <class T>
__device__ __forceinline__ int warp_draw_category(const T* l, int n, double u) {
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  T most = l[0];
  for (int k = lane; k < n; k += warp_threads) most = l[k] > most ? l[k] : most;
  most = warp_fold(most, [](T a, T b) { return b > a ? b : a; });
  const int length = (n + warp_threads - 1) / warp_threads;
  const int begin = lane * length < n ? lane * length : n, end = begin + length < n ? begin + length : n;
  double before = 0;
  for (int k = begin; k < end; ++k) before += static_cast<double>(exp(l[k] - most));
  const double own = before;
  for (int d = 1; d < warp_threads; d *= 2) {
    const double left = __shfl_up_sync(full_warp, before, static_cast<unsigned>(d));
    if (lane >= d) before += left;
  }
  const double total = __shfl_sync(full_warp, before, warp_threads - 1);
  if (!(total > 0)) return -1;
  const double wanted = u * total;
  double sum = before - own;
  int found = n, last = 0;
  for (int k = begin; k < end; ++k) {
    const T e = exp(l[k] - most);
    if (!(e > T(0))) continue;
    sum += static_cast<double>(e);
    last = k;
    if (sum > wanted && found == n) found = k;
  }
  found = warp_fold(found, [](int a, int b) { return a < b ? a : b; });
  last = warp_fold(last, [](int a, int b) { return a > b ? a : b; });
  return found < n ? found : last;
}

/** A drawn category as a number; NaN where there was none to draw. */
template <class T>
__device__ __forceinline__ T level_of(int64_t category) {
  return category < 0 ? static_cast<T>(NAN) : static_cast<T>(category);
}

/** 1 with the probability σ(l); NaN of NaN. */
template <class T>
__device__ __forceinline__ T draw_bit(T l, T u) {
  return l != l ? l : u < sigmoid(l) ? T(1) : T(0);
}

/** What a level of a mixture stands for, on [−1, 1]. */
template <class T>
__device__ __forceinline__ T value_of(const LogisticMixture& m, T level) {
  return level * (T(2) / static_cast<T>(m.levels - 1)) - T(1);
}

/** The levels of one row, of mixture k: channel by channel by the inverse of the distribution function, from C numbers in (0, 1). */
template <class T>
__device__ __forceinline__ void draw_logistics(const LogisticMixture& m, int64_t k, const T* p, const T* uniform, T* level) {
  const double top = static_cast<double>(m.levels - 1);
  for (int64_t i = 0; i < m.channels; ++i) {
    if (k < 0) {
      level[i] = level_of<T>(k);
      continue;
    }
    double mean = static_cast<double>(p[m.mean(i) + k]);
    for (int64_t j = 0; j < i; ++j)
      mean += tanh(static_cast<double>(p[m.coefficient(i, j) + k])) * (2 * static_cast<double>(level[j]) / top - 1);
    const double log_scale = static_cast<double>(p[m.log_scale(i) + k]);
    const double scale = exp(log_scale < m.least_log_scale ? m.least_log_scale : log_scale);
    const double v = static_cast<double>(uniform[i]);
    const double drawn = floor((mean + scale * (log(v) - log1p(-v)) + 1) * (0.5 * top) + 0.5);
    level[i] = static_cast<T>(drawn < 0 ? 0 : drawn > top ? top : drawn);  // NaN stays NaN
  }
}

/** Bin of channel c in mixture k: its log-probability and derivatives, and 1/scale. */
template <bool derivatives, class T>
__device__ __forceinline__ LogisticBin<T> bin_of(const LogisticMixture& m, const T* p, const T* x, int64_t c, int64_t k, T& inverse) {
  T mean = p[m.mean(c) + k];
  for (int64_t j = 0; j < c; ++j) mean += tanh(p[m.coefficient(c, j) + k]) * value_of(m, x[j]);
  const T top = static_cast<T>(m.levels - 1), least = static_cast<T>(m.least_log_scale);
  inverse = exp(-max(least, p[m.log_scale(c) + k]));
  return logistic_bin<derivatives>((value_of(m, x[c]) - mean) * inverse, inverse / top, x[c] == T(0), x[c] == top);
}

/** log (π_k·p_k) up to the normaliser of π. */
template <class T>
__device__ __forceinline__ T mixture_term(const LogisticMixture& m, const T* p, const T* x, int64_t k) {
  T term = p[k], inverse;
  for (int64_t c = 0; c < m.channels; ++c) term += bin_of<false>(m, p, x, c, k, inverse).log_prob;
  return term;
}

/** Σ exp as a running maximum and a sum relative to it. */
template <class T>
struct RunningSum {
  T most, sum;

  __device__ __forceinline__ void add(T value) {
    const T top = max(most, value);
    sum = sum * (most == top ? T(1) : exp(most - top)) + exp(value - top);
    most = top;
  }
};

template <class T>
__device__ __forceinline__ bool are_levels(const LogisticMixture& m, const T* x) {
  for (int64_t c = 0; c < m.channels; ++c)
    if (!is_level(x[c], m.levels)) return false;
  return true;
}

}  // namespace flow::cuda
