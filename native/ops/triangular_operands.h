// What triangular_solve and its gradient read of their operands and attributes, on either device.
//
// Attributes, each 0 or 1: left, lower, transpose, unit.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

struct TriangularForm {
  bool left, lower, transpose, unit;
  int64_t n, sides, stacks;
  int64_t t_step;  // rows of t from a matrix to the next: 0 where one serves all

  /** Whether the rows of the panels are those of op(t) transposed. */
  bool turned() const { return transpose != left; }
};

/** A stack of matrices [n, n], `t`, and their right-hand sides, `b`; one matrix on the left serves many. */
inline bool read_triangles(const Call& call, const Operand& t, const char* what_t, const Operand& b, const char* what_b,
                           TriangularForm& form, int64_t& matrices) {
  form = {call.attr[0] != 0, call.attr[1] != 0, call.attr[2] != 0, call.attr[3] != 0, t.cols, 0, 1, 0};
  const int64_t n = t.cols;
  FLOW_CHECK(call, n > 0 && t.rows > 0 && t.rows % n == 0, "%s: expected a stack of square matrices, got %lld × %lld", what_t, ll(t.rows),
             ll(n));
  matrices = t.rows / n;
  if (form.left)
    FLOW_CHECK(call, b.rows % n == 0 && (matrices == 1 || b.rows == t.rows), "%s: expected a multiple of %lld rows, got %lld", what_b,
               ll(n), ll(b.rows));
  else
    FLOW_CHECK(call, b.cols == n && b.rows % matrices == 0, "%s: expected a multiple of %lld × %lld, got %lld × %lld", what_b,
               ll(matrices), ll(n), ll(b.rows), ll(b.cols));
  form.stacks = form.left ? b.rows / n : matrices;
  form.sides = form.left ? b.cols : b.rows / matrices;
  form.t_step = matrices > 1 ? n : 0;
  return check_shape(call, b, what_b, b.rows, b.cols, t.dtype);
}

/** in: t, b; out: x. */
inline bool read_triangular_solve(const Call& call, TriangularForm& form) {
  const Operand &t = call.in[0], &b = call.in[1];
  for (int i = 0; i < 4; ++i)
    FLOW_CHECK(call, call.attr[i] == 0 || call.attr[i] == 1, "attribute %d: expected 0 or 1, got %g", i, call.attr[i]);
  int64_t matrices = 1;
  return read_triangles(call, t, "t", b, "b", form, matrices) && check_shape(call, call.out[0], "x", b.rows, b.cols, t.dtype);
}

/** in: x, g; out: dL_dt, so many `matrices`. */
inline bool read_triangular_solve_grad(const Call& call, TriangularForm& form, int64_t& matrices) {
  const Operand &x = call.in[0], &dt = call.out[0];
  return read_triangles(call, dt, "dL_dt", x, "x", form, matrices) && check_shape(call, call.in[1], "g", x.rows, x.cols, dt.dtype);
}

}  // namespace flow::FLOW_ISA
