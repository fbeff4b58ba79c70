// triangular_solve: X of X·op(T) = B (right: rows of B) or op(T)·X = B (left: columns), T triangular, op the identity or
// the transpose. What T holds on the other side of its diagonal (and on it, with a unit diagonal) is not read. A zero on the diagonal is
// not told: the result is infinite or NaN.
// in: t, a stack of [n, n], b: for each of them [m, n] (right) or [n, m] (left); one t may serve a stack of b.
// out: x; attributes: left, lower, transpose, unit diagonal.
//
// Floor: b and x once, n² operations a right-hand side. Up to 64 unknowns: one launch for the whole stack, a thread a right-hand side,
// its unknowns in shared memory, four at a time; beyond, cuBLAS's trsm, a matrix after the other.
#include "cuda/core/linear.h"
#include "ops/triangular_operands.h"

namespace flow::cuda {
namespace {

constexpr int64_t shared_unknowns = 64;
/** Right-hand sides of a block: with 64 unknowns each, 33 KB. */
template <class T>
constexpr int sides_of_block = 512 / static_cast<int>(sizeof(T));

/** blockIdx.x: right-hand sides; blockIdx.y: the stack. */
template <class T>
__global__ void __launch_bounds__(sides_of_block<T>)
    solve_sides(TriangularForm form, const T* t, int64_t t_ld, const T* b, int64_t b_ld, T* x, int64_t x_ld) {
  FLOW_SHARED(memory);
  T* const unknowns = reinterpret_cast<T*>(memory);  // [n][sides_of_block + 1]
  constexpr int sides = sides_of_block<T>, pitch = sides + 1;
  const int thread = static_cast<int>(threadIdx.x), n = static_cast<int>(form.n);
  for (int64_t stack = blockIdx.y; stack < form.stacks; stack += gridDim.y) {
    const int64_t first = static_cast<int64_t>(blockIdx.x) * sides;
    const int live = form.sides - first < sides ? static_cast<int>(form.sides - first) : sides;
    // Elements in the order in which they lie: (side, unknown) or (unknown, side).
    const int64_t row0 = form.left ? stack * form.n : stack * form.sides + first;
    const int64_t col0 = form.left ? first : 0;
    const int cols = form.left ? live : n, count = live * n;
    __syncthreads();
    for (int e = thread; e < count; e += sides) {
      const int r = e / cols, c = e % cols;
      unknowns[form.left ? r * pitch + c : c * pitch + r] = b[(row0 + r) * b_ld + col0 + c];
    }
    __syncthreads();
    if (thread < live) {
      // x_j = (b_j − Σ_{k < j} M(j, k)·x_k)/M(j, j), unknowns in the order of computation.
      const bool turned = form.transpose != form.left, backward = form.lower != turned;
      const int64_t sign = backward ? -1 : 1;
      const int64_t step_j = sign * (turned ? t_ld : 1), step_k = sign * (turned ? 1 : t_ld);
      const T* m = t + stack * form.t_step * t_ld + (backward ? (form.n - 1) * (t_ld + 1) : 0);
      T* const own = unknowns + thread + (backward ? (n - 1) * pitch : 0);
      const int next = backward ? -pitch : pitch;
      for (int j0 = 0; j0 < n; j0 += 4) {
        T sum[4];
#pragma unroll
        for (int u = 0; u < 4; ++u) sum[u] = j0 + u < n ? own[(j0 + u) * next] : T(0);
        for (int k = 0; k < j0; ++k) {
          const T known = own[k * next];
#pragma unroll
          for (int u = 0; u < 4; ++u)
            if (j0 + u < n) sum[u] -= m[(j0 + u) * step_j + k * step_k] * known;
        }
#pragma unroll
        for (int u = 0; u < 4; ++u) {
          if (j0 + u >= n) continue;
          if (!form.unit) sum[u] /= m[(j0 + u) * (step_j + step_k)];
          own[(j0 + u) * next] = sum[u];
#pragma unroll
          for (int later = u + 1; later < 4; ++later)
            if (j0 + later < n) sum[later] -= m[(j0 + later) * step_j + (j0 + u) * step_k] * sum[u];
        }
      }
    }
    __syncthreads();
    for (int e = thread; e < count; e += sides) {
      const int r = e / cols, c = e % cols;
      x[(row0 + r) * x_ld + col0 + c] = unknowns[form.left ? r * pitch + c : c * pitch + r];
    }
  }
}

template <class T>
bool run(const Call& call, const TriangularForm& form) {
  const Operand &t = call.in[0], &b = call.in[1], &x = call.out[0];
  if (form.n <= shared_unknowns) {
    const int64_t blocks = ceil_div(form.sides, sides_of_block<T>);
    FLOW_LAUNCH((solve_sides<T>), dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(min_of(form.stacks, 65535))),
                static_cast<unsigned>(sides_of_block<T>), static_cast<size_t>(form.n * (sides_of_block<T> + 1)) * sizeof(T), form,
                t.as<const T>(), t.ld, b.as<const T>(), b.ld, x.as<T>(), x.ld);
    return launched(call);
  }
  copy_rows<T>(b, x);
  for (int64_t stack = 0; stack < form.stacks; ++stack) {
    T* own = x.as<T>() + stack * (form.left ? form.n : form.sides) * x.ld;
    if (!blas_trsm<T>(call, form.left, {form.lower, form.transpose, form.unit}, form.n, form.sides,
                      t.as<const T>() + stack * form.t_step * t.ld, t.ld, own, x.ld))
      return false;
  }
  return launched(call);
}

bool triangular_solve(const Call& call) {
  TriangularForm form;
  if (!read_triangular_solve(call, form)) return false;
  return with_float(call, call.in[0], "t", [&](auto zero) {
    if (form.sides == 0 || form.stacks == 0) return true;
    return run<decltype(zero)>(call, form);
  });
}

}  // namespace

FLOW_DEFINE_OP(triangular_solve) = {"triangular_solve", triangular_solve, 2, 2, 1, 4};

}  // namespace flow::cuda
