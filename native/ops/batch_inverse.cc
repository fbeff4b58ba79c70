// batch_inverse: log|det| and transposed inverse of many small matrices, by elimination with partial pivoting in float64
// (Golub and Van Loan, algorithm 3.4.1), one matrix a task or several.
// in: a [B·C, C]; out: inverse_transposed [B·C, C] of its type (perhaps absent), log_det [B] float64. A singular matrix has
// log_det −inf and an inverse of infinities and NaN; a NaN in a makes log_det NaN.
#include "ops/lanes.h"
#include "ops/linear.h"
#include "ops/log_det.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {
namespace {

// y −= factor·x
FLOW_INLINE void subtract(double* y, const double* x, double factor, int64_t count) {
  const Vec<double> minus(-factor);
  for_lanes<Vec<double>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    store_live(y + i, fma(minus, load_live(x + i, live), load_live(y + i, live)), live);
  });
}

// Reduces [A | I], n × 2n rows of `ld`, to [U | L⁻¹P]; with `whole` on to [I | A⁻¹]. Returns log|det A|.
double eliminate(double* a, int64_t n, int64_t ld, bool whole) {
  double log_det = 0;
  bool singular = false;  // what is divided by its pivot may be NaN, and the pivots behind it with it
  const int64_t width = whole ? 2 * n : n;
  for (int64_t k = 0; k < n; ++k) {
    int64_t best = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (abs(a[i * ld + k]) > abs(a[best * ld + k])) best = i;
    if (best != k) {
      for (int64_t c = 0; c < width; ++c) {
        const double value = a[k * ld + c];
        a[k * ld + c] = a[best * ld + c];
        a[best * ld + c] = value;
      }
    }
    const double pivot = a[k * ld + k];
    log_det += log(abs(pivot));
    singular = singular || pivot == 0;
    if (pivot == 0 && !whole) continue;
    if (whole) {
      for (int64_t c = k; c < width; ++c) a[k * ld + c] /= pivot;
      for (int64_t i = 0; i < n; ++i)
        if (i != k) subtract(a + i * ld + k, a + k * ld + k, a[i * ld + k], width - k);
    } else {
      for (int64_t i = k + 1; i < n; ++i) subtract(a + i * ld + k, a + k * ld + k, a[i * ld + k] / pivot, width - k);
    }
  }
  return singular ? -__builtin_inf() : log_det;
}

bool batch_inverse(const Call& call) {
  const Operand &a = call.in[0], &inverse = call.out[0], &log_det = call.out[1];
  const int64_t n = a.cols;
  FLOW_CHECK(call, n > 0 && a.rows % n == 0, "a: expected square matrices below each other, got %lld × %lld",
             static_cast<long long>(a.rows), static_cast<long long>(n));
  const int64_t count = a.rows / n;
  if (!check_log_det(call, log_det, "log_det", count)) return false;
  if (!inverse.absent() && !check_shape(call, inverse, "inverse_transposed", a.rows, n, a.dtype)) return false;
  return with_float(call, a, "a", [&](auto zero) {
    using T = decltype(zero);
    const bool whole = !inverse.absent();
    const int64_t ld = whole ? 2 * n : n;
    const VectorView<double> logs = vector_view<double>(log_det);
    parallel_rows(count, n * ld * 64, [&](int64_t first, int64_t last) {
      double* work = static_cast<double*>(scratch(static_cast<size_t>(n * ld) * sizeof(double), 4));
      for (int64_t b = first; b < last; ++b) {
        const T* from = a.as<T>() + b * n * a.ld;
        bool number = true;
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t c = 0; c < n; ++c) {
            work[r * ld + c] = static_cast<double>(from[r * a.ld + c]);
            number = number && from[r * a.ld + c] == from[r * a.ld + c];
          }
          for (int64_t c = n; c < ld; ++c) work[r * ld + c] = c - n == r ? 1 : 0;
        }
        const double log_det_b = eliminate(work, n, ld, whole);
        logs[b] = number ? log_det_b : __builtin_nan("");
        if (!whole) continue;
        T* to = inverse.as<T>() + b * n * inverse.ld;
        for (int64_t r = 0; r < n; ++r)
          for (int64_t c = 0; c < n; ++c) to[c * inverse.ld + r] = static_cast<T>(work[r * ld + n + c]);
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(batch_inverse) = {"batch_inverse", batch_inverse, 1, 1, 2, 0};

}  // namespace flow::FLOW_ISA
