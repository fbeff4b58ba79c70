// adam: one step of Adam (Kingma, Ba, 2015) or AdamW (Loshchilov, Hutter, 2019) for all parameters of a model, with
// PyTorch's formula:
//   g ← clip·g (+ weight_decay·p: coupled); m ← m + (1 − β1)(g − m); v ← β2·v + (1 − β2)·g²
//   p ← (1 − lr·weight_decay)·p (decoupled); p ← p − lr/(1 − β1^t) · m/(√v/√(1 − β2^t) + eps)
// in: global gradient norm (float64 scalar) or absent, then n gradients (absent: the parameter is left alone), then
// nothing or n extents (int32 [rows] or absent: only the first extents[r] columns of row r are updated; for weights
// that are zero beyond their mask). out, all in place: state [7] float64 (step, lr, β1, β2, eps, weight_decay, max_norm;
// the op adds 1 to step first; the gradients are scaled by min(1, max_norm/(norm + 1e-6)) where a norm is given), n
// parameters, n first moments, n second moments. attributes: decoupled (0 or 1).
//
// Floor: gradient, parameter and moments read, the last three written, once: 28 bytes a float32. The state stays on the device, so that a
// captured step counts on: one thread advances it and writes down the rates; then one launch updates everything.
#include "cuda/core/scalar.h"
#include "cuda/core/tensor_list.h"

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

/** Counts the step and writes the rates. A step that is no count makes NaN of them. */
__global__ void advance(double* state, const double* norm, bool decoupled, double* rates) {
  const bool counts = state[0] >= 0 && state[0] < 9007199254740991.0;
  const double t = counts ? state[0] + 1 : static_cast<double>(NAN);
  const double lr = state[1], beta1 = state[2], beta2 = state[3], weight_decay = state[5];
  state[0] = t;
  rates[rate_clip] = norm ? clip_factor(*norm, state[6]) : 1;
  rates[rate_keep1] = 1 - beta1;
  rates[rate_beta2] = beta2;
  rates[rate_keep2] = 1 - beta2;
  rates[rate_step] = counts ? lr / (1 - power(beta1, t)) : t;
  rates[rate_inverse_root] = counts ? 1 / sqrt(1 - power(beta2, t)) : t;
  rates[rate_eps] = state[4];
  rates[rate_l2] = decoupled ? 0 : weight_decay;
  rates[rate_shrink] = decoupled ? 1 - lr * weight_decay : 1;
}

struct Adam {
  static constexpr int numbers = rate_count;
  static constexpr unsigned stored = 0b1110;  // of parameter, moments; the list is gradient, parameter, first, second
  const double* rates;

  template <class T>
  struct Known {
    T rate[rate_count];
  };
  __device__ __forceinline__ double number(int i) const { return rates[i]; }
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
  const int n = (call.n_out - 1) / 3;
  FLOW_CHECK(call, call.n_out == 1 + 3 * n && (call.n_in == 1 + n || call.n_in == 1 + 2 * n),
             "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  const Operand& norm = call.in[0];
  const Operand* gradients = call.in + 1;
  const Operand* extents = call.n_in == 1 + 2 * n ? call.in + 1 + n : nullptr;
  const Operand* parameters = call.out + 1;
  const Operand* first = parameters + n;
  const Operand* second = first + n;
  if (!check_state(call, call.out[0], 7) || !check_float_list(call, "parameters", parameters, n) ||
      !check_list(call, "gradients", gradients, parameters, n, true) ||
      !check_list(call, "first moments", first, parameters, n) ||
      !check_list(call, "second moments", second, parameters, n))
    return false;
  if (!norm.absent() && !check_scalar(call, norm, "norm")) return false;
  if (extents && !check_extent_list(call, extents, parameters, n)) return false;

  double* rates = static_cast<double*>(workspace(rate_count * sizeof(double)));
  if (!rates) return call.fail("the GPU has no memory for %d rates", static_cast<int>(rate_count));
  FLOW_LAUNCH(advance, 1, 1, 0, call.out[0].as<double>(), norm.as<const double>(), call.attr[0] != 0, rates);
  const Operand* const lists[4] = {gradients, parameters, first, second};
  return update_tensors<4>(call, lists, extents, n, Adam{rates}) && launched(call);
}

}  // namespace

FLOW_DEFINE_OP(adam) = {"adam", adam, 1, 4096, -1, 1};

}  // namespace flow::cuda
