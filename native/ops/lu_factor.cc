// lu_factor: P·L·U = W by elimination with partial pivoting, in float64 (Golub and Van Loan, algorithm 3.4.1, in blocks).
// in: w [C, C]; out: factors [C, C] float64 (U on and above the diagonal, L below it), rows [C] int32 (row i of L·U is row
// rows[i] of W), log_det = log|det W| and sign of det W, float64 [1] both. A singular matrix has a zero on the diagonal, log_det
// −inf and sign 0.
#include "ops/lu.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t panel_columns = 32;

// y −= factor·x
FLOW_INLINE void subtract(double* y, const double* x, double factor, int64_t count) {
  const Vec<double> minus(-factor);
  for_lanes<Vec<double>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    store_live(y + i, fma(minus, load_live(x + i, live), load_live(y + i, live)), live);
  });
}

struct Elimination {
  double* a;
  int64_t ld, n;
  int32_t* rows;
  bool odd = false;

  void swap(int64_t i, int64_t j) {
    if (i == j) return;
    odd = !odd;
    const int32_t row = rows[i];
    rows[i] = rows[j];
    rows[j] = row;
    for (int64_t c = 0; c < n; ++c) {
      const double value = a[i * ld + c];
      a[i * ld + c] = a[j * ld + c];
      a[j * ld + c] = value;
    }
  }

  // Columns k0 … k1 of the rows from k0 on.
  void factor_panel(int64_t k0, int64_t k1) {
    for (int64_t k = k0; k < k1; ++k) {
      int64_t best = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (abs(a[i * ld + k]) > abs(a[best * ld + k])) best = i;
      swap(k, best);
      const double pivot = a[k * ld + k];
      if (pivot == 0) continue;
      for (int64_t i = k + 1; i < n; ++i) {
        double* row = a + i * ld;
        row[k] /= pivot;
        subtract(row + k + 1, a + k * ld + k + 1, row[k], k1 - k - 1);
      }
    }
  }

  void run() {
    for (int64_t k0 = 0; k0 < n; k0 += panel_columns) {
      const int64_t k1 = min_of(n, k0 + panel_columns), below = n - k1;
      factor_panel(k0, k1);
      if (below == 0) return;
      for (int64_t i = k0 + 1; i < k1; ++i)
        for (int64_t k = k0; k < i; ++k) subtract(a + i * ld + k1, a + k * ld + k1, a[i * ld + k], below);
      double* minus = static_cast<double*>(scratch(static_cast<size_t>(below * panel_columns) * sizeof(double), 4));
      for (int64_t i = 0; i < below; ++i)
        for (int64_t k = 0; k < k1 - k0; ++k) minus[i * panel_columns + k] = -a[(k1 + i) * ld + k0 + k];
      Epilogue<double> add;
      add.accumulate = true;
      gemm<double>(Trans::no, Trans::no, below, below, k1 - k0, minus, panel_columns, a + k0 * ld + k1, ld, a + k1 * ld + k1,
                   ld, add);
    }
  }
};

bool lu_factor(const Call& call) {
  const Operand &w = call.in[0], &factors = call.out[0], &rows = call.out[1];
  const int64_t n = w.cols;
  FLOW_CHECK(call, n > 0 && w.rows == n, "w: expected a square matrix, got %lld × %lld", static_cast<long long>(w.rows),
             static_cast<long long>(n));
  if (!check_shape(call, factors, "factors", n, n, DType::f64) || !check_vector(call, rows, "rows", n, DType::i32) ||
      !check_vector(call, call.out[2], "log_det", 1, DType::f64) || !check_vector(call, call.out[3], "sign", 1, DType::f64))
    return false;
  return with_float(call, w, "w", [&](auto zero) {
    using T = decltype(zero);
    Elimination elimination{factors.as<double>(), factors.ld, n, rows.as<int32_t>()};
    for (int64_t r = 0; r < n; ++r) {
      elimination.rows[r] = static_cast<int32_t>(r);
      for (int64_t c = 0; c < n; ++c) elimination.a[r * factors.ld + c] = static_cast<double>(w.as<T>()[r * w.ld + c]);
    }
    elimination.run();
    double log_det = 0, sign = elimination.odd ? -1 : 1;
    for (int64_t i = 0; i < n; ++i) {
      const double pivot = elimination.a[i * (factors.ld + 1)];
      log_det += log(abs(pivot));
      sign *= pivot > 0 ? 1 : pivot < 0 ? -1 : pivot;  // 0 and NaN stay
    }
    *call.out[2].as<double>() = log_det;
    *call.out[3].as<double>() = sign + 0.0;
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_factor) = {"lu_factor", lu_factor, 1, 1, 4, 0};

}  // namespace flow::FLOW_ISA
