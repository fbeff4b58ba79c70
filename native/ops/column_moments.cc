// column_moments: mean and variance (Σ(x − mean)²/rows) of each column, in float64. Outputs: mean, variance.
// Blocks of rows have their moments taken in two passes while they are in the cache; the blocks' are combined in order
// (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
#include "ops/reduce.h"

namespace flow::FLOW_ISA {
namespace {

// Mean and Σ(x − block mean)² of each column of a block: to partial[0 … n) and partial[n … 2n).
template <class T>
void block_moments(const Operand& x, double* partial, int64_t first, int64_t last, int64_t from, int64_t n) {
  double *mean = partial, *square = partial + n;
  const T* corner = x.as<T>() + first * x.ld + from;
  int64_t ld = x.ld;
  fold_columns<1>(last - first, n, {mean}, [=](Vec<double>* total, int64_t r, int64_t c, auto lanes) FLOW_INLINE_LAMBDA {
    total[0] += load_double(corner + r * ld + c, lanes);
  });
  double rows = static_cast<double>(last - first);
  for (int64_t c = 0; c < n; ++c) mean[c] /= rows;
  fold_columns<1>(last - first, n, {square}, [=](Vec<double>* total, int64_t r, int64_t c, auto lanes) FLOW_INLINE_LAMBDA {
    const Vec<double> d = load_double(corner + r * ld + c, lanes) - load_double(mean + c, lanes);
    total[0] += d * d;
  });
}

// Moments of `rows` and of `more` rows to those of both, in mean and square (Σ of squares).
inline void combine(double* __restrict mean, double* __restrict square, const double* __restrict partial, int64_t n,
                    double rows, double more) {
  double weight = more / (rows + more), spread = rows * weight;
  for (int64_t c = 0; c < n; ++c) {
    double d = partial[c] - mean[c];
    mean[c] += d * weight;
    square[c] += partial[n + c] + d * d * spread;
  }
}

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
    double *means = call.out[0].as<double>(), *variances = call.out[1].as<double>();
    int64_t height = rows_of_block(x.cols), blocks = ceil_div(x.rows, height);
    double* partials = static_cast<double*>(scratch(static_cast<size_t>(blocks * x.cols + 1) * 2 * sizeof(double), 4));
    reduce_rows(
        x.rows, x.cols, partials, 2,
        [&](double* partial, int64_t first, int64_t last, int64_t from, int64_t to) {
          block_moments<T>(x, partial, first, last, from, to - from);
        },
        [&](int64_t from, int64_t to, const double* partial, int64_t count, int64_t step) {
          int64_t n = to - from;
          double *mean = means + from, *square = variances + from;
          for (int64_t c = 0; c < n; ++c) mean[c] = square[c] = 0;
          for (int64_t i = 0; i < count; ++i) {
            int64_t before = i * height;
            combine(mean, square, partial + i * step, n, static_cast<double>(before),
                    static_cast<double>(min_of(height, x.rows - before)));
          }
          for (int64_t c = 0; c < n; ++c) square[c] /= static_cast<double>(x.rows);
        });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(column_moments) = {"column_moments", column_moments, 1, 1, 2, 0};

}  // namespace flow::FLOW_ISA
