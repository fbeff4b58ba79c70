// batch_norm: y = (x − mean)/√(variance + eps)·exp(log_gamma) + beta by column, and its log-determinant, one number
// (math/batch_norm.h). Inputs: x; mean, variance (float64); log_gamma, beta (type of x). Outputs: y, log_det (float64).
// Attribute: eps.
#include "ops/batch_norm_operands.h"
#include "ops/elementwise.h"
#include "simd/math.h"
#include "math/batch_norm.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void run_type(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  const double *mean = call.in[1].as<double>(), *variance = call.in[2].as<double>();
  const T *log_gamma = call.in[3].as<T>(), *beta = call.in[4].as<T>();
  double eps = call.attr[0];
  int64_t cols = x.cols;
  T* line = static_cast<T*>(scratch(static_cast<size_t>(cols * 3 + 1) * sizeof(T), 4));
  T *means = line, *inverses = line + cols, *gains = line + 2 * cols;
  double log_det = 0;
  for (int64_t c = 0; c < cols; ++c) {
    double v = variance[c] + eps, gamma = static_cast<double>(log_gamma[c]);
    means[c] = static_cast<T>(mean[c]);
    inverses[c] = static_cast<T>(1.0 / __builtin_sqrt(v));
    gains[c] = static_cast<T>(exp(gamma));
    log_det += gamma - 0.5 * log(v);
  }
  call.out[1].as<double>()[0] = log_det;
  using V = Vec<T>;
  using Row = RowOf<T, false>;
  parallel_rows(x.rows, cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      map_row(
          y.as<T>() + r * y.ld, cols,
          [](V value, V m, V inverse, V gain, V shift) FLOW_INLINE_LAMBDA {
            return batch_norm_value(value, m, inverse, gain, shift);
          },
          Row{x.as<T>() + r * x.ld}, Row{means}, Row{inverses}, Row{gains}, Row{beta});
    }
  });
}

bool batch_norm(const Call& call) {
  if (!check_batch_norm(call)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) {
    run_type<decltype(zero)>(call);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(batch_norm) = {"batch_norm", batch_norm, 5, 5, 2, 1};

}  // namespace flow::FLOW_ISA
