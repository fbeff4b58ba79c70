// adam: one step of Adam (Kingma, Ba, 2015) or AdamW (Loshchilov, Hutter, 2019) for all parameters of a model, with
// PyTorch's formula:
//   g ← clip·g (+ weight_decay·p: coupled); m ← m + (1 − β1)(g − m); v ← β2·v + (1 − β2)·g²
//   p ← (1 − lr·weight_decay)·p (decoupled); p ← p − lr/(1 − β1^t) · m/(√v/√(1 − β2^t) + eps)
// in: global gradient norm (float64 scalar) or absent, skip (int32: nothing is changed where it is not below 0) or absent, then n gradients (absent: the parameter is left alone), then
// nothing or n extents (int32 [rows] or absent: only the first extents[r] columns of row r are updated; for weights
// that are zero beyond their mask). out, all in place: state [7] float64 (step, lr, β1, β2, eps, weight_decay, max_norm;
// the op adds 1 to step first; the gradients are scaled by min(1, max_norm/(norm + 1e-6)) where a norm is given), n
// parameters, n first moments, n second moments. attributes: decoupled (0 or 1).
//
// Floor: gradient, parameter and moments read, the last three written, once: 28 bytes a float32, in one launch. The state stays on the
// device, so that a captured step counts on: each block makes the rates of it, and the last one advances it.
#include "cuda/core/scalar.h"
#include "cuda/core/tensor_list.h"
#include "math/clip.h"
#include "ops/optimizer_operands.h"

namespace flow::cuda {
namespace {

enum Rate : int { rate_clip, rate_keep1, rate_beta2, rate_keep2, rate_step, rate_inverse_root, rate_eps, rate_l2, rate_shrink, rate_count };

/** base^n for a whole n ≥ 0 by squaring. */
__device__ double power(double base, double n) {
  double result = 1;
  for (uint64_t k = static_cast<uint64_t>(n); k; k >>= 1, base *= base)
    if (k & 1) result *= base;
  return result;
}

struct Adam {
  static constexpr int numbers = rate_count;
  static constexpr unsigned stored = 0b1110;  // of parameter, moments; the list is gradient, parameter, first, second
  double* state;
  const double* norm;  // or null
  Skip skip;
  bool decoupled;

  template <class T>
  struct Known {
    T rate[rate_count];
  };
  __device__ __forceinline__ bool skips() const { return skip(); }
  /** A step that is no count makes NaN of the rates. */
  __device__ double number(int i) const {
    const double lr = state[1], beta1 = state[2], beta2 = state[3], weight_decay = state[5];
    if (i == rate_step || i == rate_inverse_root) {
      // Side by side in two lanes: one loop for both.
      const double t = state[0] >= 0 && state[0] < 9007199254740991.0 ? state[0] + 1 : 1;
      const double rest = t == state[0] + 1 ? 1 - power(i == rate_step ? beta1 : beta2, t) : static_cast<double>(NAN);
      return i == rate_step ? lr / rest : 1 / sqrt(rest);
    }
    switch (i) {
      case rate_clip: return norm ? clip_factor(*norm, state[6]) : 1;
      case rate_keep1: return 1 - beta1;
      case rate_beta2: return beta2;
      case rate_keep2: return 1 - beta2;
      case rate_eps: return state[4];
      case rate_l2: return decoupled ? 0 : weight_decay;
      default: return decoupled ? 1 - lr * weight_decay : 1;
    }
  }
  __device__ __forceinline__ void finish() const { state[0] += 1; }
  template <class T>
  __device__ __forceinline__ Known<T> known(const double* all) const {
    Known<T> own;
#pragma unroll
    for (int i = 0; i < rate_count; ++i) own.rate[i] = static_cast<T>(all[i]);
    return own;
  }
  template <class T, int W>
  __device__ __forceinline__ void operator()(const Known<T>& own, T (&x)[4][W]) const {
#pragma unroll
    for (int k = 0; k < W; ++k) {
      T &p = x[1][k], &m = x[2][k], &v = x[3][k];
      const T g = fma(own.rate[rate_l2], p, x[0][k] * own.rate[rate_clip]);
      m = fma(own.rate[rate_keep1], g - m, m);
      v = fma(own.rate[rate_keep2] * g, g, own.rate[rate_beta2] * v);
      const T denominator = fma(sqrt(v), own.rate[rate_inverse_root], own.rate[rate_eps]);
      p = p * own.rate[rate_shrink] - own.rate[rate_step] * (m / denominator);
    }
  }
};

bool adam(const Call& call) {
  AdamOperands of{};
  if (!read_adam(call, of)) return false;
  const Operand* const lists[4] = {of.gradients, of.parameters, of.first, of.second};
  const Adam step{of.state->as<double>(), of.norm->as<const double>(), {of.skip->as<const int32_t>()}, call.attr[0] != 0};
  return update_tensors<4>(call, lists, of.extents, of.n, step);
}

}  // namespace

FLOW_DEFINE_OP(adam) = {"adam", adam, 2, 4096, -1, 1};

}  // namespace flow::cuda
