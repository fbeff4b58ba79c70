// categorical_log_prob_grad: dL_dlogit_k = d[sample]·([k = x] − softmax_k); zero where x is no level. in: logits, x, the sums of
// categorical_log_prob, d [samples] float64; out: dL_dlogits. Attributes: L, rows a sample.
//
// Floor: the logits and their gradient, once; neighbours in a row are neighbours in a warp.
#include "cuda/ops/discrete.h"

namespace flow::cuda {
namespace {

template <class T, class X>
struct Gradient {
  Matrix<const T> logits;
  Matrix<const X> x;
  Matrix<const T> kept;
  Vector<const double> d;
  Matrix<T> out;
  int64_t levels, positions;

  __device__ __forceinline__ T sample(int64_t row) const { return static_cast<T>(*d.at(row / positions)); }
  __device__ __forceinline__ void operator()(T factor, int64_t r, int64_t unit) const {
    const int64_t c = unit / levels, k = unit % levels;
    const X at = *x.at(r, c);
    const T p = exp((*logits.at(r, unit) - *kept.at(r, 2 * c)) - *kept.at(r, 2 * c + 1));
    const bool valid = is_level(at, levels);
    *out.at(r, unit) = valid ? factor * ((k == static_cast<int64_t>(at) ? T(1) : T(0)) - p) : T(0);
  }
};

bool categorical_log_prob_grad(const Call& call) {
  int64_t positions = 1;
  if (!check_categorical_log_prob_grad(call, positions)) return false;
  const Operand &logits = call.in[0], &x = call.in[1];
  return with_float(call, logits, "logits", [&](auto zero) {
    using T = decltype(zero);
    return with_type(x.dtype, [&](auto level) {
      using X = decltype(level);
      return walk_samples(call, x.rows, logits.cols,
                          Gradient<T, X>{matrix<const T>(logits), matrix<const X>(x), matrix<const T>(call.in[2]),
                                         vector<const double>(call.in[3]), matrix<T>(call.out[0]), call.int_attr(0), positions});
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(categorical_log_prob_grad) = {"categorical_log_prob_grad", categorical_log_prob_grad, 4, 4, 1, 2};

}  // namespace flow::cuda
