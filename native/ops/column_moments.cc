// column_moments: mean and variance (Σ(x − mean)²/rows) of each column, in float64. Outputs: mean, variance.
// Blocks of rows have their moments taken in two passes while they are in the cache; the blocks' are combined in order
// (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
#include "ops/reduce.h"

namespace flow::FLOW_ISA {
namespace {

// Sum and Σ(x − block mean)² of each column of a block; n columns.
template <class T>
void block_moments(const Operand& x, double* partial, int64_t first, int64_t last, int64_t from, int64_t n) {
  double mean[512], square[512];
  for (int64_t c = 0; c < n; ++c) mean[c] = square[c] = 0;
  for (int64_t r = first; r < last; ++r) {
    const T* row = x.as<T>() + r * x.ld + from;
    for (int64_t c = 0; c < n; ++c) mean[c] += static_cast<double>(row[c]);
  }
  double rows = static_cast<double>(last - first);
  for (int64_t c = 0; c < n; ++c) mean[c] /= rows;
  for (int64_t r = first; r < last; ++r) {
    const T* row = x.as<T>() + r * x.ld + from;
    for (int64_t c = 0; c < n; ++c) {
      double d = static_cast<double>(row[c]) - mean[c];
      square[c] += d * d;
    }
  }
  for (int64_t c = 0; c < n; ++c) {
    partial[2 * c] = mean[c];
    partial[2 * c + 1] = square[c];
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
        [&](int64_t from, int64_t to, int64_t count) {
          for (int64_t c = from; c < to; ++c) {
            double mean = 0, square = 0, rows = 0;
            for (int64_t i = 0; i < count; ++i) {
              const double* partial = partials + (i * x.cols + c) * 2;
              double n = static_cast<double>(min_of(height, x.rows - i * height));
              double total = rows + n, d = partial[0] - mean;
              mean += d * (n / total);
              square += partial[1] + d * d * (rows * n / total);
              rows = total;
            }
            means[c] = mean;
            variances[c] = square / rows;
          }
        });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(column_moments) = {"column_moments", column_moments, 1, 1, 2, 0};

}  // namespace flow::FLOW_ISA
