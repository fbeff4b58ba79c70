// lu_solve: rows x with W·x = y − bias, or W'·x = y, W by its triangles (core/lu.h).
//
// For few channels W⁻¹ by substitution in float64, one block with all of it in shared memory, and one product with the bias in its
// epilogue; for many, cuBLAS's trsm with both triangles. Attribute `method`: 0 chooses, 1 substitution, 2 inverse. A zero on the
// diagonal is not told: the result is infinite or NaN.
// in: y [N, C], or absent: the identity, factors [C, C], log_scale [C] and sign [C] (both or neither), rows [C] int32 or
// absent, bias [C] or absent; out: x [N, C]; attributes: form, transpose, method.
// The type of y may differ from that of factors.
//
// Floor: y and x once, 2·N·C² operations. Two launches for few channels, four or five for many.
#include "cuda/core/lu.h"

namespace flow::cuda {
namespace {

/** inverse [n, n] with x = y·inverse, shift = −bias·inverse. Thread i solves for the i-th row of the identity. */
template <class T, class S>
__global__ void __launch_bounds__(inverse_channels) invert(LuFactors<S> lu, bool transpose, const T* bias, T* inverse, T* shift) {
  FLOW_SHARED(memory);
  const int64_t n = lu.n, i = threadIdx.x;
  double* const own = reinterpret_cast<double*>(memory) + i;  // unknown j of thread i: own[j·n]
  if (i < n) {
    solve_unit(lu, transpose, i, own);
    for (int64_t j = 0; j < n; ++j) inverse[i * n + (transpose ? lu.row(j) : j)] = static_cast<T>(own[j * n]);
  }
  if (!bias) return;
  __syncthreads();
  if (i >= n) return;
  // Column i of the inverse: never transposed where there is a bias.
  double sum = 0;
  const double* column = reinterpret_cast<const double*>(memory) + i * n;
  for (int64_t r = 0; r < n; ++r) sum -= static_cast<double>(bias[r]) * column[r];
  shift[i] = static_cast<T>(sum);
}

/** The triangles in the type of y, each with its diagonal: lower [n, n], upper [n, n]. */
template <class T, class S>
__global__ void __launch_bounds__(block_threads) unpack(LuFactors<S> lu, T* lower, T* upper) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, k = e % lu.n;
    lower[e] = static_cast<T>(lu.lower(i, k));
    upper[e] = static_cast<T>(lu.upper(i, k));
  }
}

/** to[r, i] = y[r, rows[i]] − bias[rows[i]], or with `scatter` to[r, rows[i]] = y[r, i]. y null: the identity. */
template <class T, class S>
__global__ void __launch_bounds__(block_threads)
    move_columns(LuFactors<S> lu, bool gather, bool scatter, const T* y, int64_t y_ld, const T* bias, T* to, int64_t to_ld, int64_t rows) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < rows * lu.n; e += stride) {
    const int64_t r = e / lu.n, i = e % lu.n, from = gather ? lu.row(i) : i;
    T value = y ? y[r * y_ld + from] : from == r ? T(1) : T(0);
    if (bias) value -= bias[from];
    to[r * to_ld + (scatter ? lu.row(i) : i)] = value;
  }
}

template <class T, class S>
bool solve(const Call& call, const LuOperands& operands, bool transpose, int method) {
  const Operand &y = call.in[0], &x = call.out[0];
  const int64_t n = operands.n;
  const LuFactors<S> lu = in_kernel<S>(operands);
  const T* bias = call.in[5].as<const T>();
  if (x.rows == 0) return true;
  if (n <= inverse_channels && method != 1 && !y.absent()) {
    const ProductShape shape{x.rows, n, n};
    const ProductPlan<T> plan(shape);
    const size_t own_bytes = static_cast<size_t>(ceil_div((n + 1) * n, 64) * 64) * sizeof(T);
    char* memory = static_cast<char*>(workspace(own_bytes + plan.bytes));
    if (!memory) return call.fail("the GPU has no memory for an inverse of %lld channels", ll(n));
    T* inverse = reinterpret_cast<T*>(memory);
    T* shift = bias ? inverse + n * n : nullptr;
    FLOW_LAUNCH((invert<T, S>), 1, static_cast<unsigned>(inverse_channels), static_cast<size_t>(n * n) * sizeof(double), lu, transpose,
                bias, inverse, shift);
    Epilogue<T> epilogue{x.as<T>(), x.ld};
    epilogue.bias = shift;
    return product<T>(call, shape, ByRows<T>{y.as<const T>(), y.ld}, ByColumns<T>{inverse, n}, WholeDepth{n}, epilogue.settle(),
                      NoRowSums{}, memory + own_bytes);
  }
  const bool scatters = transpose && lu.rows;
  const int64_t square = ceil_div(n * n, 64) * 64;
  T* lower = static_cast<T*>(workspace(static_cast<size_t>(2 * square + (scatters ? x.rows * n : 0)) * sizeof(T)));
  if (!lower) return call.fail("the GPU has no memory for two triangles of %lld channels", ll(n));
  T* upper = lower + square;
  T* z = scatters ? upper + square : x.as<T>();
  const int64_t z_ld = scatters ? n : x.ld;
  FLOW_LAUNCH((unpack<T, S>), blocks_for(n * n), block_threads, 0, lu, lower, upper);
  FLOW_LAUNCH((move_columns<T, S>), blocks_for(x.rows * n), block_threads, 0, lu, !transpose, false, y.as<const T>(), y.ld, bias, z, z_ld,
              x.rows);
  const auto with_lower = [&] {
    return !operands.has_lower() ||
           blas_trsm<T>(call, false, {true, !transpose, lu.form == LuForm::lu}, n, x.rows, lower, n, z, z_ld);
  };
  const auto with_upper = [&] {
    return !operands.has_upper() || blas_trsm<T>(call, false, {false, !transpose, false}, n, x.rows, upper, n, z, z_ld);
  };
  if (transpose ? !with_upper() || !with_lower() : !with_lower() || !with_upper()) return false;
  if (scatters)
    FLOW_LAUNCH((move_columns<T, S>), blocks_for(x.rows * n), block_threads, 0, lu, false, true, static_cast<const T*>(z), z_ld,
                static_cast<const T*>(nullptr), x.as<T>(), x.ld, x.rows);
  return launched(call);
}

bool lu_solve(const Call& call) {
  LuOperands lu;
  bool transpose = false;
  int method = 0;
  if (!read_lu_solve(call, lu, transpose, method)) return false;
  const bool narrow = lu.factors->dtype == DType::f32;
  return with_float(call, call.out[0], "x", [&](auto zero) {
    using T = decltype(zero);
    return narrow ? solve<T, float>(call, lu, transpose, method) : solve<T, double>(call, lu, transpose, method);
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_solve) = {"lu_solve", lu_solve, 6, 6, 1, 3};

}  // namespace flow::cuda
