// triangular_solve_grad: the gradient by t of triangular_solve, given its x and g = dL_db (that solves with op(t) turned).
//   right: dL_dop(t) = −x'·g     left: dL_dop(t) = −g·x'     of it the triangle of t; zeros beyond
// Only blocks that meet the triangle are computed.
// in: x, g; out: dL_dt, a stack of [n, n]; attributes: left, lower, transpose, unit diagonal.
#include "ops/linear.h"
#include "ops/lanes.h"
#include "ops/triangular_operands.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t least_block = 64;

// Rows r0 … r1 of dL_dt become −(the triangle), zeros beyond.
template <class T>
void finish_rows(T* dt, int64_t ld, int64_t n, int64_t r0, int64_t r1, bool lower, bool unit) {
  for (int64_t r = r0; r < r1; ++r) {
    T* row = dt + r * ld;
    const int64_t first = lower ? 0 : min_of(n, r + (unit ? 1 : 0));
    const int64_t last = lower ? r + (unit ? 0 : 1) : n;
    for (int64_t c = 0; c < first; ++c) row[c] = T(0);
    for (int64_t c = last; c < n; ++c) row[c] = T(0);
    for_lanes<Vec<T>>(last - first, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      store_live(row + first + c, Vec<T>(T(0)) - load_live(row + first + c, live), live);
    });
  }
}

bool triangular_solve_grad(const Call& call) {
  const Operand &x = call.in[0], &g = call.in[1], &dt = call.out[0];
  TriangularForm form;
  int64_t matrices = 1;
  if (!read_triangular_solve_grad(call, form, matrices)) return false;
  const bool left = form.left, lower = form.lower, transpose = form.transpose, unit = form.unit;
  const int64_t n = form.n;
  return with_float(call, dt, "dL_dt", [&](auto zero) {
    using T = decltype(zero);
    // dL_dt = a'·b (right) or a·b' (left).
    const Operand& a = left != transpose ? g : x;
    const Operand& b = left != transpose ? x : g;
    // One matrix for a stack of left sides: their sum.
    const int64_t terms = left ? x.rows / n / matrices : 1;
    const int64_t rows = left ? n : x.rows / matrices;
    const int64_t depth = left ? x.cols : rows;
    const int64_t step = max_of(least_block, ceil_div(n, 4));
    for (int64_t matrix = 0; matrix < matrices; ++matrix) {
      T* out = dt.as<T>() + matrix * n * dt.ld;
      for (int64_t r0 = 0; r0 < n; r0 += step) {
        const int64_t r1 = min_of(n, r0 + step);
        const int64_t c0 = lower ? 0 : r0, c1 = lower ? r1 : n;
        for (int64_t term = 0; term < terms; ++term) {
          const int64_t from = (matrix * terms + term) * rows;
          Epilogue<T> epilogue;
          epilogue.accumulate = term > 0;
          if (left)
            gemm<T>(Trans::no, Trans::yes, r1 - r0, c1 - c0, depth, a.as<T>() + (from + r0) * a.ld, a.ld,
                    b.as<T>() + (from + c0) * b.ld, b.ld, out + r0 * dt.ld + c0, dt.ld, epilogue);
          else
            gemm<T>(Trans::yes, Trans::no, r1 - r0, c1 - c0, depth, a.as<T>() + from * a.ld + r0, a.ld,
                    b.as<T>() + from * b.ld + c0, b.ld, out + r0 * dt.ld + c0, dt.ld, epilogue);
        }
        finish_rows(out, dt.ld, n, r0, r1, lower, unit);
      }
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(triangular_solve_grad) = {"triangular_solve_grad", triangular_solve_grad, 2, 2, 1, 4};

}  // namespace flow::FLOW_ISA
