// Log-probabilities of whole numbers 0 … L − 1 and their derivatives: bins of a logistic distribution (Salimans et al. 2017,
// "PixelCNN++", eq. 2).
// Include after the functions of V (simd/math.h on a CPU): the formulas here are made of them.
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

/**
 * The logistic distribution function between the edges of a bin. `a` is the distance of the bin's middle from the mean in
 * scales, h > 0 half the width of the bin in scales; the first bin reaches to −∞ and the last to ∞. With b = a + h and
 * c = a − h
 *
 *   σ(b) − σ(c) = σ(b)·σ(−c)·(1 − exp(−2h)),
 *
 * a product of positive numbers: nothing cancels for a bin of any width at any distance, and no approximation is needed.
 */
template <class V>
struct LogisticBin {
  V log_prob;
  /** By a, and by the logarithm of the scale if a and h are divided by it. */
  V by_distance, by_log_scale;
};
template <bool derivatives, class V, class M>
FLOW_FORMULA LogisticBin<V> logistic_bin(V a, V h, M first, M last) {
  const V b = a + h, c = a - h;
  // softplus(−b) and σ(−b), softplus(c) and σ(c), by e^−|·|.
  const V eb = exp(-abs(b)), ec = exp(-abs(c));
  V ib, lb, ic, lc;
  logistic_parts(eb, ib, lb);
  logistic_parts(ec, ic, lc);
  const V above = select(last, V(0), lb + max(V(0), -b));
  const V below = select(first, V(0), lc + max(V(0), c));
  const V w = h + h;
  const M edge = first | last;
  LogisticBin<V> bin;
  bin.log_prob = select(edge, V(0), log(-expm1(-w))) - (above + below);
  if constexpr (derivatives) {
    const V gb = select(last, V(0), select(b < V(0), ib, eb * ib));
    const V gc = select(first, V(0), select(c < V(0), ec * ic, ic));
    // w/(e^w − 1), 0 where e^w overflows.
    const V rest = select(edge, V(0), w / expm1(w));
    bin.by_distance = gb - gc;
    bin.by_log_scale = c * gc - b * gb - rest;
  }
  return bin;
}

}  // namespace flow::FLOW_ISA
