// log_prob_grad: the gradient of log_prob. Inputs: z (Bernoulli: logits), d = dL_dlogProb (float64, one a row), and for
// Bernoulli x. Outputs, each may be left out: dL_dz, dL_dx. Attribute: kind.
//
// Floor: every operand, once. Lanes of a warp share a row and its d, 16 bytes each where rows are aligned.
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "math/log_prob.h"
#include "ops/log_prob_operands.h"

namespace flow::cuda {
namespace {

template <int W, int kind, class T>
struct Gradient {
  Matrix<const T> z, x;
  const double* d;
  Matrix<T> dL_dz, dL_dx;

  __device__ __forceinline__ T sample(int64_t row) const { return static_cast<T>(d[row]); }
  __device__ __forceinline__ void operator()(T factor, int64_t row, int64_t unit) const {
    T value[W], other[W], out[W];
    load<W>(value, z.at(row, unit * W));
    if (dL_dz.p) {
      if constexpr (kind == 2) load<W>(other, x.at(row, unit * W));
#pragma unroll
      for (int k = 0; k < W; ++k) {
        if constexpr (kind == 0) out[k] = factor * normal_log_prob_derivative(value[k]);
        if constexpr (kind == 1) out[k] = factor * logistic_log_prob_derivative(value[k]);
        if constexpr (kind == 2) out[k] = factor * bernoulli_log_prob_derivative(value[k], other[k]);
      }
      store<W>(dL_dz.at(row, unit * W), out);
    }
    if constexpr (kind == 2) {
      if (!dL_dx.p) return;
#pragma unroll
      for (int k = 0; k < W; ++k) out[k] = factor * value[k];
      store<W>(dL_dx.at(row, unit * W), out);
    }
  }
};

template <int kind, class T>
bool run_kind(const Call& call) {
  const Operand &z = call.in[0], &x = call.in[kind == 2 ? 2 : 0], &dL_dz = call.out[0], &dL_dx = call.out[1];
  return Width<T>().of(z).of(x).of(dL_dz).of(dL_dx).columns(z.cols).choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    return walk_samples(call, z.rows, z.cols / W,
                        Gradient<W, kind, T>{matrix<const T>(z), matrix<const T>(x), call.in[1].as<const double>(),
                                             matrix<T>(dL_dz), matrix<T>(dL_dx)});
  });
}

bool log_prob_grad(const Call& call) {
  if (!check_log_prob_grad(call)) return false;
  const int64_t kind = call.int_attr(0);
  return with_float(call, call.in[0], "z", [&](auto zero) {
    using T = decltype(zero);
    return kind == 0 ? run_kind<0, T>(call) : kind == 1 ? run_kind<1, T>(call) : run_kind<2, T>(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(log_prob_grad) = {"log_prob_grad", log_prob_grad, 2, 3, 2, 1};

}  // namespace flow::cuda
