// adam: one step of Adam (Kingma, Ba, 2015) or AdamW (Loshchilov, Hutter, 2019) for all parameters of a model, with
// PyTorch's formula:
//   g ← clip·g (+ weight_decay·p: coupled); m ← m + (1 − β1)(g − m); v ← β2·v + (1 − β2)·g²
//   p ← (1 − lr·weight_decay)·p (decoupled); p ← p − lr/(1 − β1^t) · m/(√v/√(1 − β2^t) + eps)
// in: global gradient norm (float64 scalar) or absent, skip (int32: nothing is changed where it is not below 0) or absent, then n gradients (absent: the parameter is left alone), then
// nothing or n extents (int32 [rows] or absent: only the first extents[r] columns of row r are updated; for weights
// that are zero beyond their mask). out, all in place: state [7] float64 (step, lr, β1, β2, eps, weight_decay, max_norm;
// the op adds 1 to step first; the gradients are scaled by min(1, max_norm/(norm + 1e-6)) where a norm is given), n
// parameters, n first moments, n second moments. attributes: decoupled (0 or 1).
#include "ops/optimizer_operands.h"
#include "ops/tensor_list.h"
#include "simd/prefetch.h"
// The formulas come after the functions that they call.
#include "math/clip.h"

namespace flow::FLOW_ISA {
namespace {

struct Rates {
  double clip, keep1, beta2, keep2, step_size, inverse_root, eps, l2, shrink;
};

// How far ahead of their update the parameters are asked for.
constexpr uintptr_t ahead_bytes = 2048;

template <class T>
FLOW_INLINE void update(const Rates& rates, int64_t count, const T* gradient, T* parameter, T* first, T* second) {
  using V = Vec<T>;
  const V clip(static_cast<T>(rates.clip)), l2(static_cast<T>(rates.l2)), shrink(static_cast<T>(rates.shrink));
  const V keep1(static_cast<T>(rates.keep1)), beta2(static_cast<T>(rates.beta2)), keep2(static_cast<T>(rates.keep2));
  const V step_size(static_cast<T>(rates.step_size)), inverse_root(static_cast<T>(rates.inverse_root));
  const V eps(static_cast<T>(rates.eps));
  for_lanes<V>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    prefetch_to_write(reinterpret_cast<uintptr_t>(parameter + i) + ahead_bytes);
    V p = load_live(parameter + i, live);
    V g = load_live(gradient + i, live) * clip;
    g = fma(l2, p, g);
    V m = load_live(first + i, live);
    V v = load_live(second + i, live);
    m = fma(keep1, g - m, m);
    v = fma(keep2 * g, g, beta2 * v);
    const V denominator = fma(sqrt(v), inverse_root, eps);
    p = p * shrink - step_size * (m / denominator);
    store_live(first + i, m, live);
    store_live(second + i, v, live);
    store_live(parameter + i, p, live);
  });
}

// base^n for a whole n ≥ 0 by squaring: no libm in these files.
double power(double base, double n) {
  double result = 1;
  for (uint64_t k = static_cast<uint64_t>(n); k; k >>= 1, base *= base)
    if (k & 1) result *= base;
  return result;
}

bool adam(const Call& call) {
  AdamOperands of{};
  if (!read_adam(call, of) || (of.extents && !check_extent_values(call, of.extents, of.n))) return false;
  if (skips(*of.skip)) return true;

  double* state = of.state->as<double>();
  FLOW_CHECK(call, state[0] >= 0 && state[0] < 9007199254740991.0, "state: step is %g", state[0]);
  const double t = state[0] += 1;
  const double lr = state[1], beta1 = state[2], beta2 = state[3], weight_decay = state[5];
  const bool decoupled = call.attr[0] != 0;
  Rates rates;
  rates.clip = of.norm->absent() ? 1 : clip_factor(*of.norm->as<double>(), state[6]);
  rates.keep1 = 1 - beta1;
  rates.beta2 = beta2;
  rates.keep2 = 1 - beta2;
  rates.step_size = lr / (1 - power(beta1, t));
  rates.inverse_root = 1 / sqrt(1 - power(beta2, t));
  rates.eps = state[4];
  rates.l2 = decoupled ? 0 : weight_decay;
  rates.shrink = decoupled ? 1 - lr * weight_decay : 1;

  TensorList(of.parameters, of.n, of.extents, of.gradients, of.first, of.second)
      .run_typed([&](auto zero, int i, int64_t count, const auto& at) FLOW_INLINE_LAMBDA {
        if (of.gradients[i].absent()) return;
        update<decltype(zero)>(rates, count, at(of.gradients), at(of.parameters), at(of.first), at(of.second));
      });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(adam) = {"adam", adam, 2, 4096, -1, 1};

}  // namespace flow::FLOW_ISA
