// triangular_solve_grad: the gradient by t of triangular_solve, given its x and g = dL_db (that solves with op(t) turned).
//   right: dL_dop(t) = −x'·g     left: dL_dop(t) = −g·x'     of it the triangle of t; zeros beyond
// in: x, g; out: dL_dt, a stack of [n, n]; attributes: left, lower, transpose, unit diagonal.
//
// Floor: x and g once, n² operations a right-hand side. One launch for the whole stack (a second one where the right-hand sides are cut);
// tiles beyond the triangle write zeros and read nothing.
#include "cuda/core/linear.h"
#include "ops/triangular_operands.h"

namespace flow::cuda {
namespace {

/** (i, k) of left sides: k = term·sides + side, the element (term·n + i, side) of a matrix' stack. */
template <class T>
struct StackedRows {
  static constexpr bool deep = true;
  using Row = const T*;
  using Depth = int64_t;
  const T* p;
  int64_t ld, n, sides, terms;
  __device__ __forceinline__ Row row(int64_t batch, int64_t i) const { return p + (batch * terms * n + i) * ld; }
  __device__ __forceinline__ Depth depth(int64_t k) const {
    if (terms == 1) return k;
    const int64_t term = k / sides;
    return term * n * ld + k - term * sides;
  }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};

struct TriangleTiles {
  int64_t k;
  bool lower;
  __device__ __forceinline__ Span operator()(int64_t, int64_t i0, int64_t j0, void*) const {
    return {0, (lower ? j0 <= i0 : i0 <= j0) ? k : 0};
  }
};

template <class T>
struct TriangleOut {
  T* out;
  int64_t ld, n;
  bool lower, unit;
  __device__ __forceinline__ void operator()(int64_t batch, int64_t i, int64_t j, int live, T (&v)[4]) const {
    T* to = out + (batch * n + i) * ld + j;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const bool in = (lower ? j + c < i : j + c > i) || (!unit && j + c == i);
      if (c < live) to[c] = in ? T(0) - v[c] : T(0);
    }
  }
};

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
    const T *pa = a.as<const T>(), *pb = b.as<const T>();
    const TriangleOut<T> out{dt.as<T>(), dt.ld, n, lower, unit};
    if (left) {
      // One matrix for a stack of left sides: their sum.
      const int64_t terms = x.rows / n / matrices, k = terms * x.cols;
      return product<T>(call, {n, n, k, matrices}, StackedRows<T>{pa, a.ld, n, x.cols, terms}, StackedRows<T>{pb, b.ld, n, x.cols, terms},
                        TriangleTiles{k, lower}, out);
    }
    const int64_t k = x.rows / matrices;
    return product<T>(call, {n, n, k, matrices}, ByColumns<T>{pa, a.ld, k * a.ld}, ByColumns<T>{pb, b.ld, k * b.ld},
                      TriangleTiles{k, lower}, out);
  });
}

}  // namespace

FLOW_DEFINE_OP(triangular_solve_grad) = {"triangular_solve_grad", triangular_solve_grad, 2, 2, 1, 4};

}  // namespace flow::cuda
