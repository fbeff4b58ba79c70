// batch_norm: y = (x − mean)/√(variance + eps)·exp(log_gamma) + beta by column, and its log-determinant, one number
// (math/batch_norm.h). Inputs: x; mean, variance (float64); log_gamma, beta (type of x). Outputs: y, log_det (float64).
// Attribute: eps.
//
// Floor: x and y, once, 16 bytes at a time where they are aligned; what belongs to a column is computed once a thread. The first block
// also takes the log-determinant: one launch.
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"
#include "math/batch_norm.h"
#include "ops/batch_norm_operands.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct BatchNorm {
  struct Columns {
    T mean[W], inverse[W], gain[W], shift[W];
  };
  Matrix<const T> x;
  const double *mean, *variance;
  const T *log_gamma, *beta;
  Matrix<T> y;
  double* log_det;
  double eps;
  int64_t cols;

  __device__ __forceinline__ void once() const {
    if (blockIdx.x != 0 || blockIdx.y != 0) return;
    FLOW_SHARED(memory);
    double sum = 0;
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x)
      sum += static_cast<double>(log_gamma[c]) - 0.5 * log(variance[c] + eps);
    sum = block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
    if (threadIdx.x == 0) *log_det = sum;
  }
  __device__ __forceinline__ Columns column(int64_t unit) const {
    Columns own;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const int64_t c = (unit * W + k) % cols;
      own.mean[k] = static_cast<T>(mean[c]);
      own.inverse[k] = T(1) / sqrt(static_cast<T>(variance[c] + eps));
      own.gain[k] = exp(log_gamma[c]);
      own.shift[k] = beta[c];
    }
    return own;
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit) const {
    T value[W];
    load<W>(value, x.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) value[k] = batch_norm_value(value[k], own.mean[k], own.inverse[k], own.gain[k], own.shift[k]);
    store<W>(y.at(row, unit * W), value);
  }
};

template <class T>
bool run_type(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  const Joined<T> joined(x.rows, x.cols, {&x, &y});
  return joined.width.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const BatchNorm<W, T> pass{joined.template matrix<const T>(x),    call.in[1].as<const double>(), call.in[2].as<const double>(),
                               call.in[3].as<const T>(),     call.in[4].as<const T>(),      joined.template matrix<T>(y),
                               call.out[1].as<double>(),     call.attr[0],                  x.cols};
    return walk_columns(call, joined.rows, joined.cols / W, pass);
  });
}

bool batch_norm(const Call& call) {
  if (!check_batch_norm(call)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(batch_norm) = {"batch_norm", batch_norm, 5, 5, 2, 1};

}  // namespace flow::cuda
