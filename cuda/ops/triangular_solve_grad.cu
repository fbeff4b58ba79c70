// triangular_solve_grad: the gradient by t of triangular_solve, given its x and g = dL_db (that solves with op(t) turned).
//   right: dL_dop(t) = −x'·g     left: dL_dop(t) = −g·x'     of it the triangle of t; zeros beyond
// in: x, g; out: dL_dt, a stack of [n, n]; attributes: left, lower, transpose, unit diagonal.
//
// Floor: x and g once, n² operations a right-hand side. One launch for the whole stack (a second one where the right-hand sides are cut);
// tiles beyond the triangle write zeros and read nothing.
#include "cuda/core/linear.h"

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
  const bool left = call.attr[0] != 0, lower = call.attr[1] != 0, transpose = call.attr[2] != 0, unit = call.attr[3] != 0;
  const int64_t n = dt.cols;
  FLOW_CHECK(call, n > 0 && dt.rows > 0 && dt.rows % n == 0, "dL_dt: expected a stack of square matrices, got %lld × %lld", ll(dt.rows),
             ll(n));
  const int64_t matrices = dt.rows / n;
  if (left)
    FLOW_CHECK(call, x.rows % n == 0 && (matrices == 1 || x.rows == dt.rows), "x: expected a multiple of %lld rows, got %lld", ll(n),
               ll(x.rows));
  else
    FLOW_CHECK(call, x.cols == n && x.rows % matrices == 0, "x: expected a multiple of %lld × %lld, got %lld × %lld", ll(matrices), ll(n),
               ll(x.rows), ll(x.cols));
  if (!check_shape(call, x, "x", x.rows, x.cols, dt.dtype) || !check_shape(call, g, "g", x.rows, x.cols, dt.dtype)) return false;
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
