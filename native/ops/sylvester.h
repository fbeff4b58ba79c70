// What sylvester and its gradient share: tiles, and the log-determinants of a register of samples.
#pragma once
#include "ops/lane_rows.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/sylvester.h"
#include "ops/sylvester_operands.h"

namespace flow::FLOW_ISA {

// The log-determinants of one register of samples, in float64.
template <class T>
struct LaneSum {
  double sum[Vec<T>::width] = {};
  FLOW_INLINE void operator()(Vec<float> a) {
    Vec<double> low, high;
    widen(a, low, high);
    constexpr int w = Vec<double>::width;
    store(sum, load<Vec<double>>(sum) + low);
    store(sum + w, load<Vec<double>>(sum + w) + high);
  }
  FLOW_INLINE void operator()(Vec<double> a) { store(sum, load<Vec<double>>(sum) + a); }
};

// run.template operator()<inverse, shared>(first sample, live samples) for tiles of a register of samples of in[0]; `shared`: all have the
// parameters of one row. `cost`: numbers that a sample costs.
template <class T, class F>
void sylvester_tiles(const Call& call, int64_t cost, const F& run) {
  constexpr int64_t w = Vec<T>::width;
  const int64_t samples = call.in[0].rows;
  const bool inverse = call.attr[0] != 0, shared = call.in[1].rows == 1 && samples != 1;
  parallel_rows(ceil_div(samples, w), w * cost * int64_t{sizeof(T)}, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = tile * w, live = min_of(w, samples - first);
      if (inverse)
        shared ? run.template operator()<true, true>(first, live) : run.template operator()<true, false>(first, live);
      else
        shared ? run.template operator()<false, true>(first, live) : run.template operator()<false, false>(first, live);
    }
  });
}

}  // namespace flow::FLOW_ISA
