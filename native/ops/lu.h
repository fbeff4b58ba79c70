// A matrix by its triangles: what the lu ops share.
//
//   form 0, lu:     W = P·L·(U + diag(s))      form 1, lower:  W = L₀ + diag(s)      form 2, upper:  W = U + diag(s)
//
// L unit lower, L₀ strictly lower, U strictly upper triangular; all lie in one matrix `factors`, U above its diagonal, L
// below it; the diagonal itself is not read. s = sign·exp(log_scale), or, where those are left out, the diagonal of factors.
// P: row i of the product is row rows[i] of W; left out: the identity.
#pragma once
#include "ops/linear.h"
#include "ops/triangular.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {

enum class LuForm : int { lu, lower, upper };

struct LuOperands {
  const Operand *factors = nullptr, *log_scale = nullptr, *sign = nullptr, *rows = nullptr;
  LuForm form = LuForm::lu;
  int64_t n = 0;

  bool has_lower() const { return form != LuForm::upper; }
  bool has_upper() const { return form != LuForm::lower; }

  double diagonal(int64_t i) const {
    if (log_scale->absent())
      return factors->dtype == DType::f32 ? static_cast<double>(factors->as<float>()[i * (factors->ld + 1)])
                                          : factors->as<double>()[i * (factors->ld + 1)];
    return log_scale->dtype == DType::f32
               ? static_cast<double>(sign->as<float>()[i]) * exp(static_cast<double>(log_scale->as<float>()[i]))
               : sign->as<double>()[i] * exp(log_scale->as<double>()[i]);
  }
  int64_t row(int64_t i) const { return rows->absent() ? i : rows->as<int32_t>()[i]; }
};

inline bool check_vector(const Call& call, const Operand& o, const char* what, int64_t n, DType dtype) {
  FLOW_CHECK(call, o.dtype == dtype && o.count() == n && o.rows <= 1, "%s: expected %s [%lld], got %s %lld × %lld", what,
             name_of(dtype), static_cast<long long>(n), name_of(o.dtype), static_cast<long long>(o.rows),
             static_cast<long long>(o.cols));
  return true;
}

// in[at …] = factors, log_scale, sign, rows. `place` (scratch slot 7) becomes the inverse of rows.
inline bool read_lu(const Call& call, int at, double form, LuOperands& lu, int32_t*& place) {
  FLOW_CHECK(call, form == 0 || form == 1 || form == 2, "form: expected a code from 0 to 2, got %g", form);
  lu = {call.in + at, call.in + at + 1, call.in + at + 2, call.in + at + 3, static_cast<LuForm>(static_cast<int>(form)),
        call.in[at].cols};
  const int64_t n = lu.n;
  FLOW_CHECK(call, lu.factors->rows == n && n > 0, "factors: expected a square matrix, got %lld × %lld",
             static_cast<long long>(lu.factors->rows), static_cast<long long>(n));
  FLOW_CHECK(call, lu.factors->dtype == DType::f32 || lu.factors->dtype == DType::f64,
             "factors: expected float32 or float64, got %s", name_of(lu.factors->dtype));
  FLOW_CHECK(call, lu.log_scale->absent() == lu.sign->absent(), "log_scale and sign: expected both or neither");
  if (!lu.log_scale->absent() && (!check_vector(call, *lu.log_scale, "log_scale", n, lu.factors->dtype) ||
                                  !check_vector(call, *lu.sign, "sign", n, lu.factors->dtype)))
    return false;
  place = nullptr;
  if (lu.rows->absent()) return true;
  if (!check_vector(call, *lu.rows, "rows", n, DType::i32)) return false;
  place = static_cast<int32_t*>(scratch(static_cast<size_t>(n) * sizeof(int32_t), 7));
  for (int64_t i = 0; i < n; ++i) place[i] = -1;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = lu.row(i);
    FLOW_CHECK(call, row >= 0 && row < n && place[row] < 0, "rows: expected each of 0 … %lld once, got %lld at %lld",
               static_cast<long long>(n - 1), static_cast<long long>(row), static_cast<long long>(i));
    place[row] = static_cast<int32_t>(i);
  }
  return true;
}

// The lists of lu_compose, lu_compose_grad and lu_inverse: `per_in` inputs, `per_out` outputs and an attribute, the form, for each matrix.
inline bool check_lu_lists(const Call& call, int per_in, int per_out) {
  const int n = call.n_attr;
  FLOW_CHECK(call, n > 0 && call.n_in == per_in * n && call.n_out == per_out * n,
             "operands: expected %d inputs and %d outputs for each form, got %d, %d and %d forms", per_in, per_out, call.n_in,
             call.n_out, n);
  for (int k = 1; k < n; ++k)
    FLOW_CHECK(call, call.in[per_in * k].dtype == call.in[0].dtype, "factors: expected %s for all, got %s",
               name_of(call.in[0].dtype), name_of(call.in[per_in * k].dtype));
  return true;
}
inline bool check_number(const Call& call, const Operand& o, const char* what) {
  FLOW_CHECK(call, o.dtype == DType::f64 && o.count() == 1, "%s: expected one float64, got %s %lld × %lld", what, name_of(o.dtype),
             static_cast<long long>(o.rows), static_cast<long long>(o.cols));
  return true;
}
// log|det W| = Σ log_scale, or absent.
inline bool check_lu_log_det(const Call& call, const LuOperands& lu, const Operand& log_det) {
  if (log_det.absent()) return true;
  FLOW_CHECK(call, !lu.log_scale->absent(), "log_det: expected none without log_scale");
  return check_number(call, log_det, "log_det");
}
inline void write_lu_log_det(const LuOperands& lu, const Operand& log_det) {
  if (log_det.absent()) return;
  double sum = 0;
  for (int64_t i = 0; i < lu.n; ++i)
    sum += lu.log_scale->dtype == DType::f32 ? static_cast<double>(lu.log_scale->as<float>()[i]) : lu.log_scale->as<double>()[i];
  *log_det.as<double>() = sum;
}

// Matrices up to this side go to a thread each where together they are worth it; larger ones are cut by their products.
inline constexpr int64_t lu_whole = 64;
inline constexpr int64_t lu_worth = 1 << 17;  // Σ C³

// work(k) for the matrices in[per_in·k].
template <class F>
void for_matrices(const Call& call, int per_in, const F& work) {
  const auto side = [&](int64_t k) { return call.in[per_in * k].cols; };
  int64_t together = 0;
  for (int k = 0; k < call.n_attr; ++k) together += side(k) <= lu_whole ? side(k) * side(k) * side(k) : 0;
  const bool apart = call.n_attr > 1 && together >= lu_worth;
  if (apart)
    parallel(call.n_attr, [&](int64_t k) {
      if (side(k) <= lu_whole) work(static_cast<int>(k));
    });
  for (int k = 0; k < call.n_attr; ++k)
    if (!apart || side(k) > lu_whole) work(k);
}

// Rows of triangles that one product takes at once: what is beyond a diagonal block is left out.
inline constexpr int64_t lu_block = 64;

// lower [n, n] = L with its ones and zeros, upper = U + diag(s) with its zeros; row by row, `n` elements apart.
template <class T>
void unpack_lu(const LuOperands& lu, T* lower, T* upper) {
  const int64_t n = lu.n;
  for (int64_t i = 0; i < n; ++i) {
    const T* from = lu.factors->as<T>() + i * lu.factors->ld;
    T* l = lower + i * n;
    T* u = upper + i * n;
    for_lanes<Vec<T>>(i, [&](int64_t c, int live) FLOW_INLINE_LAMBDA { store_live(l + c, load_live(from + c, live), live); });
    l[i] = T(1);
    for (int64_t c = i + 1; c < n; ++c) l[c] = T(0);
    for (int64_t c = 0; c < i; ++c) u[c] = T(0);
    u[i] = static_cast<T>(lu.diagonal(i));
    for_lanes<Vec<T>>(n - i - 1, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      store_live(u + i + 1 + c, load_live(from + i + 1 + c, live), live);
    });
  }
}

}  // namespace flow::FLOW_ISA
