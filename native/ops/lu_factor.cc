// lu_factor: P·L·U = W by elimination with partial pivoting, in float64 (Golub and Van Loan, algorithm 3.4.1, in blocks).
// in: w [C, C]; out: factors [C, C] float64 (U on and above the diagonal, L below it), rows [C] int32 (row i of L·U is row
// rows[i] of W), log_det = log|det W|, sign of det W, condition or absent: an estimate of ‖W‖₁·‖W⁻¹‖₁ (all float64 [1]).
// A singular matrix has a zero on the diagonal, log_det −inf, sign 0 and condition inf.
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

  // v ← W⁻¹·v of P'·W = L·U, or v ← W⁻ᵀ·v; P is left out: it does not change a 1-norm of the inverse.
  void solve(double* v, bool transpose) const {
    for (int pass = 0; pass < 2; ++pass) {
      const bool lower = (pass == 0) != transpose;
      const bool forward = lower != transpose;
      for (int64_t i = 0; i < n; ++i) {
        const int64_t j = forward ? i : n - 1 - i;
        double sum = v[j];
        for (int64_t k = forward ? 0 : j + 1; k < (forward ? j : n); ++k)
          sum -= (transpose ? a[k * ld + j] : a[j * ld + k]) * v[k];
        v[j] = lower ? sum : sum / a[j * (ld + 1)];
      }
    }
  }

  // A lower bound of ‖W⁻¹‖₁, nearly always within a factor 3 (Hager 1984; Higham 1988, algorithm 4.1).
  double inverse_norm() const {
    double* v = static_cast<double*>(scratch(static_cast<size_t>(2 * n) * sizeof(double), 5));
    double* z = v + n;
    for (int64_t i = 0; i < n; ++i) v[i] = 1.0 / static_cast<double>(n);
    double norm = 0;
    int64_t last = -1;
    for (int round = 0; round < 5; ++round) {
      solve(v, false);
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        sum += abs(v[i]);
        z[i] = v[i] < 0 ? -1 : 1;
      }
      if (round > 0 && !(sum > norm)) break;
      norm = sum;
      solve(z, true);
      int64_t best = 0;
      for (int64_t i = 1; i < n; ++i)
        if (abs(z[i]) > abs(z[best])) best = i;
      if (best == last) break;
      last = best;
      for (int64_t i = 0; i < n; ++i) v[i] = i == best ? 1 : 0;
    }
    // Higham's safeguard: a vector that the power method does not find.
    for (int64_t i = 0; i < n; ++i)
      v[i] = (i % 2 ? -1.0 : 1.0) * (1.0 + static_cast<double>(i) / static_cast<double>(max_of(1, n - 1)));
    solve(v, false);
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += abs(v[i]);
    const double other = 2 * sum / (3.0 * static_cast<double>(n));
    return other > norm ? other : norm;
  }
};

template <class T>
double one_norm(const Operand& w) {
  double most = 0;
  for (int64_t c = 0; c < w.cols; ++c) {
    double sum = 0;
    for (int64_t r = 0; r < w.rows; ++r) sum += abs(static_cast<double>(w.as<T>()[r * w.ld + c]));
    if (!(sum <= most)) most = sum;
  }
  return most;
}

bool lu_factor(const Call& call) {
  const Operand &w = call.in[0], &factors = call.out[0], &rows = call.out[1], &condition = call.out[4];
  const int64_t n = w.cols;
  FLOW_CHECK(call, n > 0 && w.rows == n, "w: expected a square matrix, got %lld × %lld", static_cast<long long>(w.rows),
             static_cast<long long>(n));
  if (!check_shape(call, factors, "factors", n, n, DType::f64) || !check_vector(call, rows, "rows", n, DType::i32) ||
      !check_vector(call, call.out[2], "log_det", 1, DType::f64) || !check_vector(call, call.out[3], "sign", 1, DType::f64) ||
      (!condition.absent() && !check_vector(call, condition, "condition", 1, DType::f64)))
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
    if (!condition.absent())
      *condition.as<double>() = sign == 0 ? __builtin_inf() : one_norm<T>(w) * elimination.inverse_norm();
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_factor) = {"lu_factor", lu_factor, 1, 1, 5, 0};

}  // namespace flow::FLOW_ISA
