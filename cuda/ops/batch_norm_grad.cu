// batch_norm_grad: the gradients of batch_norm (math/batch_norm.h). Inputs: x; mean, variance (float64); log_gamma; dL_dy
// (or left out: zero); dL_dlogDet (float64, or left out: zero). Outputs, each may be left out: dL_dx, dL_dlogGamma,
// dL_dbeta. Attributes: eps, training (1: mean and variance are those of x and pass their gradient on; 0: constants).
//
// Floor: x and dL_dy twice, dL_dx once: dL_dx needs sums over all rows. A first pass takes them and finishes each column; the second is
// element by element. 16 bytes at a time where they are aligned.
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"
#include "math/batch_norm.h"
#include "ops/batch_norm_operands.h"

namespace flow::cuda {
namespace {

/** Σ dL_dy and Σ dL_dy·h, h = (x − mean)·inverse. */
template <int W, class T>
struct ColumnSums {
  struct Columns {
    double mean[W], inverse[W];
  };
  Matrix<const T> x, dL_dy;
  const double *mean, *variance;
  double eps;

  __device__ __forceinline__ Columns column(int64_t unit) const {
    Columns own;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      own.mean[k] = mean[unit * W + k];
      own.inverse[k] = 1.0 / sqrt(variance[unit * W + k] + eps);
    }
    return own;
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit, double (&sums)[2][W]) const {
    T value[W], d[W];
    load<W>(value, x.at(row, unit * W));
    load<W>(d, dL_dy.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const double of = static_cast<double>(d[k]);
      sums[0][k] += of;
      sums[1][k] = fma(of, (static_cast<double>(value[k]) - own.mean[k]) * own.inverse[k], sums[1][k]);
    }
  }
};

/** What the second pass reads of a column: [5][cols]. */
template <class T>
struct Lines {
  T* p;
  int64_t cols;
  __device__ __forceinline__ T* at(int line) const { return p + line * cols; }
};

template <class T>
struct FinishColumn : FinishAlone {
  const double *mean, *variance;
  const T* log_gamma;
  const double* dL_dlogDet;  // or null
  double eps, training, rows;
  T *dL_dlogGamma, *dL_dbeta;  // or null
  Lines<T> lines;

  __device__ __forceinline__ void operator()(Nothing, int64_t c, const double (&sums)[2]) const {
    const double gain = exp(static_cast<double>(log_gamma[c])), inverse = 1.0 / sqrt(variance[c] + eps), factor = gain * inverse;
    const double d_log_det = dL_dlogDet ? *dL_dlogDet : 0;
    lines.at(0)[c] = static_cast<T>(mean[c]);
    lines.at(1)[c] = static_cast<T>(inverse);
    lines.at(2)[c] = static_cast<T>(factor);
    lines.at(3)[c] = static_cast<T>(training * factor * sums[0] / rows);
    lines.at(4)[c] = static_cast<T>(training * (factor * sums[1] + inverse * d_log_det) / rows);
    if (dL_dlogGamma) dL_dlogGamma[c] = static_cast<T>(gain * sums[1] + d_log_det);
    if (dL_dbeta) dL_dbeta[c] = static_cast<T>(sums[0]);
  }
};

template <int W, class T>
struct Gradient {
  struct Columns {
    T of[5][W];
  };
  Matrix<const T> x, dL_dy;  // dL_dy.p may be null
  Matrix<T> dL_dx;
  Lines<T> lines;

  __device__ __forceinline__ Columns column(int64_t unit) const {
    Columns own;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const int64_t c = (unit * W + k) % lines.cols;
#pragma unroll
      for (int i = 0; i < 5; ++i) own.of[i][k] = lines.at(i)[c];
    }
    return own;
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit) const {
    T value[W], d[W] = {};
    load<W>(value, x.at(row, unit * W));
    if (dL_dy.p) load<W>(d, dL_dy.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k)
      d[k] = batch_norm_gradient(value[k], d[k], own.of[0][k], own.of[1][k], own.of[2][k], own.of[3][k], own.of[4][k]);
    store<W>(dL_dx.at(row, unit * W), d);
  }
};

template <class T>
bool run_type(const Call& call) {
  const Operand &x = call.in[0], &dL_dy = call.in[4], &dL_dx = call.out[0];
  const double *mean = call.in[1].as<const double>(), *variance = call.in[2].as<const double>();
  const double eps = call.attr[0];
  FinishColumn<T> finish{};
  finish.mean = mean;
  finish.variance = variance;
  finish.log_gamma = call.in[3].as<const T>();
  finish.dL_dlogDet = call.in[5].as<const double>();
  finish.eps = eps;
  finish.training = call.attr[1] != 0 ? 1 : 0;
  finish.rows = static_cast<double>(x.rows);
  finish.dL_dlogGamma = call.out[1].as<T>();
  finish.dL_dbeta = call.out[2].as<T>();
  Lines<T>& lines = finish.lines;
  lines.cols = x.cols;
  const bool folded = Width<T>().of(x).of(dL_dy).columns(x.cols).choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const ColumnPlan plan = plan_columns<2, W>(dL_dy.absent() ? 0 : x.rows, x.cols / W);
    char* memory = static_cast<char*>(workspace(plan.bytes + static_cast<size_t>(5 * max_of(1, x.cols)) * sizeof(T)));
    if (!memory) return call.fail("the GPU has no memory for the sums of %lld columns", ll(x.cols));
    lines.p = reinterpret_cast<T*>(memory + plan.bytes);
    return fold_columns<2, W>(call, plan, ColumnSums<W, T>{matrix<const T>(x), matrix<const T>(dL_dy), mean, variance, eps}, finish,
                              reinterpret_cast<double*>(memory));
  });
  if (!folded || dL_dx.absent()) return folded;
  const Joined<T> joined(x.rows, x.cols, {&x, &dL_dy, &dL_dx});
  return joined.width.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    return walk_columns(call, joined.rows, joined.cols / W,
                        Gradient<W, T>{joined.template matrix<const T>(x), joined.template matrix<const T>(dL_dy),
                                       joined.template matrix<T>(dL_dx), lines});
  });
}

bool batch_norm_grad(const Call& call) {
  if (!check_batch_norm_grad(call)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(batch_norm_grad) = {"batch_norm_grad", batch_norm_grad, 6, 6, 3, 2};

}  // namespace flow::cuda
