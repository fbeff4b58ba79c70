// column_moments: mean and variance (Σ(x − mean)²/rows) of each column, in float64. Outputs: mean, variance.
//
// Floor: x once. The sums are of x − x₀ and its square, x₀ the first row: n·variance is at least (x₀ − mean)²·(1 − 1/n), so that what
// cancels is never more than n times the result, however far from zero the column is.
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct Moments {
  struct First {
    double x[W];
  };
  Matrix<const T> x;

  __device__ __forceinline__ First column(int64_t unit) const {
    First first;
    T value[W];
    load<W>(value, x.at(0, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) first.x[k] = static_cast<double>(value[k]);
    return first;
  }
  __device__ __forceinline__ void operator()(const First& first, int64_t row, int64_t unit, double (&sums)[2][W]) const {
    T value[W];
    load<W>(value, x.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const double d = static_cast<double>(value[k]) - first.x[k];
      sums[0][k] += d;
      sums[1][k] = fma(d, d, sums[1][k]);
    }
  }
};

template <class T>
struct PutMoments : FinishAlone {
  const T* first;
  double *mean, *variance, rows;

  explicit PutMoments(const Call& call)
      : first(call.in[0].as<const T>()), mean(call.out[0].as<double>()), variance(call.out[1].as<double>()),
        rows(static_cast<double>(call.in[0].rows)) {}
  __device__ __forceinline__ void operator()(Nothing, int64_t column, const double (&sums)[2]) const {
    const double shift = sums[0] / rows;
    mean[column] = static_cast<double>(first[column]) + shift;
    variance[column] = max(0.0, sums[1] / rows - shift * shift);
  }
};

bool column_moments(const Call& call) {
  const Operand& x = call.in[0];
  for (int i = 0; i < 2; ++i) {
    const Operand& out = call.out[i];
    FLOW_CHECK(call, out.dtype == DType::f64 && out.count() == x.cols && out.contiguous(),
               "output: expected float64 with %lld values side by side, got %s %lld × %lld", ll(x.cols),
               name_of(out.dtype), ll(out.rows), ll(out.cols));
  }
  FLOW_CHECK(call, x.rows > 0, "x: expected at least one row, got none");
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const PutMoments<T> put(call);
    return Width<T>().of(x).columns(x.cols).choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      return fold_columns<2, W>(call, x.rows, x.cols / W, Moments<W, T>{matrix<const T>(x)}, put);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(column_moments) = {"column_moments", column_moments, 1, 1, 2, 0};

}  // namespace flow::cuda
