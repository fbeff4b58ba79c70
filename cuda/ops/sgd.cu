// sgd: one step of gradient descent with momentum for all parameters of a model, with PyTorch's formula:
//   g ← clip·g + weight_decay·p; b ← momentum·b + g; p ← p − lr·(nesterov ? g + momentum·b : b)
// in: global gradient norm (float64 scalar) or absent, skip (see adam) or absent, n gradients (absent: the parameter is left alone); out, all in
// place: state [4] float64 (lr, momentum, weight_decay, max_norm; see adam), n parameters, n momentum buffers (zero
// before the first step). attributes: nesterov (0 or 1).
//
// Floor: gradient, parameter and buffer read, the last two written, once: 20 bytes a float32, in one launch.
#include "cuda/core/scalar.h"
#include "cuda/core/tensor_list.h"
#include "math/clip.h"
#include "ops/optimizer_operands.h"

namespace flow::cuda {
namespace {

struct Sgd {
  static constexpr int numbers = 4;           // lr, momentum, weight decay, clip
  static constexpr unsigned stored = 0b110;  // the list is gradient, parameter, buffer
  const double* state;
  const double* norm;  // or null
  Skip skip;
  bool nesterov;

  template <class T>
  struct Known {
    T lr, momentum, decay, clip;
  };
  __device__ __forceinline__ bool skips() const { return skip(); }
  __device__ __forceinline__ double number(int i) const { return i < 3 ? state[i] : norm ? clip_factor(*norm, state[3]) : 1; }
  template <class T>
  __device__ __forceinline__ Known<T> known(const double* all) const {
    return {static_cast<T>(all[0]), static_cast<T>(all[1]), static_cast<T>(all[2]), static_cast<T>(all[3])};
  }
  template <class T, int W>
  __device__ __forceinline__ void operator()(const Known<T>& own, T (&x)[3][W]) const {
#pragma unroll
    for (int k = 0; k < W; ++k) {
      T &p = x[1][k], &b = x[2][k];
      const T g = fma(own.decay, p, x[0][k] * own.clip);
      b = fma(own.momentum, b, g);
      p = p - own.lr * (nesterov ? fma(own.momentum, b, g) : b);
    }
  }
};

bool sgd(const Call& call) {
  SgdOperands of{};
  if (!read_sgd(call, of)) return false;
  const Operand* const lists[3] = {of.gradients, of.parameters, of.buffers};
  const Sgd step{of.state->as<const double>(), of.norm->as<const double>(), {of.skip->as<const int32_t>()}, call.attr[0] != 0};
  return update_tensors<3>(call, lists, nullptr, of.n, step);
}

}  // namespace

FLOW_DEFINE_OP(sgd) = {"sgd", sgd, 2, 4096, -1, 1};

}  // namespace flow::cuda
