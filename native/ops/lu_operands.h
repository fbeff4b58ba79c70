// A matrix by its triangles, and what the lu ops read of it, on either device.
//
//   form 0, lu:     W = P·L·(U + diag(s))      form 1, lower:  W = L₀ + diag(s)      form 2, upper:  W = U + diag(s)
//
// L unit lower, L₀ strictly lower, U strictly upper triangular; all lie in one matrix `factors`, U above its diagonal, L
// below it; the diagonal itself is not read. s = sign·exp(log_scale), or, where those are left out, the diagonal of factors.
// P: row i of the product is row rows[i] of W; left out: the identity.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

enum class LuForm : int { lu, lower, upper };

struct LuOperands {
  const Operand *factors = nullptr, *log_scale = nullptr, *sign = nullptr, *rows = nullptr;
  LuForm form = LuForm::lu;
  int64_t n = 0;

  bool has_lower() const { return form != LuForm::upper; }
  bool has_upper() const { return form != LuForm::lower; }
};

/** Channels up to which W⁻¹ is made: the product with it is the faster way then (bench lu:), and it fits 48 KB of shared memory in float64. */
inline constexpr int64_t inverse_channels = 64;

/** in[at …] = factors, log_scale, sign, rows. That rows is a permutation is not looked at. */
inline bool read_lu(const Call& call, int at, double form, LuOperands& lu) {
  FLOW_CHECK(call, form == 0 || form == 1 || form == 2, "form: expected a code from 0 to 2, got %g", form);
  lu.factors = call.in + at;
  lu.log_scale = call.in + at + 1;
  lu.sign = call.in + at + 2;
  lu.rows = call.in + at + 3;
  lu.form = static_cast<LuForm>(static_cast<int>(form));
  lu.n = lu.factors->cols;
  const int64_t n = lu.n;
  const DType type = lu.factors->dtype;
  FLOW_CHECK(call, lu.factors->rows == n && n > 0, "factors: expected a square matrix, got %lld × %lld", ll(lu.factors->rows), ll(n));
  FLOW_CHECK(call, type == DType::f32 || type == DType::f64, "factors: expected float32 or float64, got %s", name_of(type));
  FLOW_CHECK(call, lu.log_scale->absent() == lu.sign->absent(), "log_scale and sign: expected both or neither");
  if (!lu.log_scale->absent() &&
      (!check_vector(call, *lu.log_scale, "log_scale", n, type) || !check_vector(call, *lu.sign, "sign", n, type)))
    return false;
  return lu.rows->absent() || check_vector(call, *lu.rows, "rows", n, DType::i32);
}

/** A list of matrices: `per_in` inputs, `per_out` outputs and an attribute, the form, for each; check(lu, in, out) looks at the rest of one. */
template <class F>
bool check_lu_list(const Call& call, int per_in, int per_out, const F& check) {
  const int n = call.n_attr;
  FLOW_CHECK(call, n > 0 && call.n_in == per_in * n && call.n_out == per_out * n,
             "operands: expected %d inputs and %d outputs for each form, got %d, %d and %d forms", per_in, per_out, call.n_in,
             call.n_out, n);
  for (int k = 1; k < n; ++k)
    FLOW_CHECK(call, call.in[per_in * k].dtype == call.in[0].dtype, "factors: expected %s for all, got %s",
               name_of(call.in[0].dtype), name_of(call.in[per_in * k].dtype));
  for (int k = 0; k < n; ++k) {
    LuOperands lu;
    if (!read_lu(call, per_in * k, call.attr[k], lu) || !check(lu, call.in + per_in * k, call.out + per_out * k)) return false;
  }
  return true;
}

/** log|det W| = Σ log_scale, or absent. */
inline bool check_lu_log_det(const Call& call, const LuOperands& lu, const Operand& log_det) {
  if (log_det.absent()) return true;
  FLOW_CHECK(call, !lu.log_scale->absent(), "log_det: expected none without log_scale");
  return check_number(call, log_det, "log_det");
}

inline bool check_lu_compose(const Call& call) {
  return check_lu_list(call, 4, 2, [&](const LuOperands& lu, const Operand*, const Operand* out) {
    return check_shape(call, out[0], "w", lu.n, lu.n, lu.factors->dtype) && check_lu_log_det(call, lu, out[1]);
  });
}

inline bool check_lu_compose_grad(const Call& call) {
  return check_lu_list(call, 6, 2, [&](const LuOperands& lu, const Operand* in, const Operand* out) {
    const DType type = lu.factors->dtype;
    FLOW_CHECK(call, !lu.log_scale->absent(), "log_scale: expected one, got none");
    return check_shape(call, in[4], "dL_dW", lu.n, lu.n, type) && (in[5].absent() || check_number(call, in[5], "dL_dlog_det")) &&
           check_shape(call, out[0], "dL_dfactors", lu.n, lu.n, type) && check_vector(call, out[1], "dL_dlog_scale", lu.n, type);
  });
}

inline bool check_lu_inverse(const Call& call) {
  return check_lu_list(call, 4, 2, [&](const LuOperands& lu, const Operand*, const Operand* out) {
    FLOW_CHECK(call, lu.n <= inverse_channels, "factors: expected at most %lld channels, got %lld", ll(inverse_channels), ll(lu.n));
    return check_shape(call, out[0], "inverse", lu.n, lu.n, lu.factors->dtype) && check_lu_log_det(call, lu, out[1]);
  });
}

/** Of lu_solve, which has one matrix, in[1 … 4]; attributes: form, transpose, method. */
inline bool read_lu_solve(const Call& call, LuOperands& lu, bool& transpose, int& method) {
  if (!read_lu(call, 1, call.attr[0], lu)) return false;
  const Operand &y = call.in[0], &bias = call.in[5], &x = call.out[0];
  transpose = call.attr[1] != 0;
  method = static_cast<int>(call.attr[2]);
  FLOW_CHECK(call, call.attr[2] == 0 || call.attr[2] == 1 || call.attr[2] == 2, "method: expected 0, 1 or 2, got %g", call.attr[2]);
  if (!check_shape(call, x, "x", y.absent() ? lu.n : y.rows, lu.n, x.dtype)) return false;
  if (!y.absent() && !check_shape(call, y, "y", x.rows, lu.n, x.dtype)) return false;
  FLOW_CHECK(call, bias.absent() || !transpose, "bias: expected none with the transpose");
  return bias.absent() || check_vector(call, bias, "bias", lu.n, x.dtype);
}

}  // namespace flow::FLOW_ISA
