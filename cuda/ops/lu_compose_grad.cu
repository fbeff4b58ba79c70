// lu_compose_grad: backward of lu_compose, all matrices of a model in one call. With G = P'·dL_dW and Ũ = U + diag(s):
//   dL_dL = (G·Ũ') below the diagonal, dL_dU = (L'·G) above it, dL_dlog_scale = diag(L'·G)·s + dL_dlog_det
// in: for each matrix factors, log_scale, sign, rows or absent, dL_dW, dL_dlog_det (float64, one number) or absent; out: for each
// dL_dfactors (its diagonal is 0), dL_dlog_scale; attributes: the form of each.
//
// Floor: factors, dL_dW and dL_dfactors once, 4/3·C³ operations. One launch for all up to 64 channels (for some forty: 4 KB of arguments), a
// block each, factors and G in shared memory. Beyond, four launches each: the triangles, both products by cuBLAS, what is kept of them.
#include "cuda/core/lu_list.h"

namespace flow::cuda {
namespace {

template <class T>
struct Differentiated {
  LuFactors<T> lu;
  const T* dw;
  T* out;
  T* scale;
  const double* d_log_det;
  int64_t dw_ld, ld;
};

/** Rows start in different banks. */
__host__ __device__ constexpr int64_t pitch_of(int64_t n) { return n | 1; }

template <class T>
__global__ void __launch_bounds__(block_threads) differentiate_list(const LuTable<Differentiated<T>> table) {
  FLOW_SHARED(memory);
  const LuFactors<T> lu = table.entry[blockIdx.x].lu;
  const T* const dw = table.entry[blockIdx.x].dw;
  T* const out = table.entry[blockIdx.x].out;
  T* const scale = table.entry[blockIdx.x].scale;
  const double* const d_log_det = table.entry[blockIdx.x].d_log_det;
  const int64_t dw_ld = table.entry[blockIdx.x].dw_ld, ld = table.entry[blockIdx.x].ld;
  const int n = static_cast<int>(lu.n), pitch = static_cast<int>(pitch_of(lu.n));
  T* const f = reinterpret_cast<T*>(memory);
  T* const g = f + n * pitch;
  load_factors(lu, f, pitch);
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += block_threads) g[e / n * pitch + e % n] = dw[lu.row(e / n) * dw_ld + e % n];
  __syncthreads();
  const bool product = lu.form == LuForm::lu;
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += block_threads) {
    const int i = e / n, j = e % n;
    T value = 0;
    if (i > j) {
      if (product)
        for (int k = j; k < n; ++k) value += g[i * pitch + k] * f[j * pitch + k];
      else if (lu.form == LuForm::lower)
        value = g[i * pitch + j];
    } else {
      if (i == j || lu.form != LuForm::lower) value = g[i * pitch + j];
      if (product)
        for (int k = i + 1; k < n; ++k) value += f[k * pitch + i] * g[k * pitch + j];
    }
    out[i * ld + j] = i == j ? T(0) : value;
    if (i == j) scale[i] = static_cast<T>(static_cast<double>(value) * lu.diagonal(i) + (d_log_det ? *d_log_det : 0));
  }
}

/** by_upper = dL_dW·Ũ', its rows where those of W are; by_lower = L'·G. */
template <class T>
__global__ void __launch_bounds__(block_threads) keep_triangles(const Differentiated<T> of, const T* by_upper, const T* by_lower) {
  const LuFactors<T>& lu = of.lu;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, j = e % lu.n;
    of.out[i * of.ld + j] = j < i ? by_upper[lu.row(i) * lu.n + j] : j > i ? by_lower[e] : T(0);
    if (i == j)
      of.scale[i] = static_cast<T>(static_cast<double>(by_lower[e]) * lu.diagonal(i) + (of.d_log_det ? *of.d_log_det : 0));
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads) one_triangle_grad(const Differentiated<T> of) {
  const LuFactors<T>& lu = of.lu;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, j = e % lu.n;
    const T d = of.dw[lu.row(i) * of.dw_ld + j];
    of.out[i * of.ld + j] = (lu.form == LuForm::lower ? j < i : j > i) ? d : T(0);
    if (i == j) of.scale[i] = static_cast<T>(static_cast<double>(d) * lu.diagonal(i) + (of.d_log_det ? *of.d_log_det : 0));
  }
}

template <class T>
bool differentiate_large(const Call& call, const Differentiated<T>& of) {
  const int64_t n = of.lu.n;
  if (of.lu.form != LuForm::lu) {
    FLOW_LAUNCH((one_triangle_grad<T>), blocks_for(n * n), block_threads, 0, of);
    return launched(call);
  }
  T* lower = static_cast<T*>(workspace(static_cast<size_t>(4 * n * n) * sizeof(T)));
  if (!lower) return call.fail("the GPU has no memory for four matrices of %lld channels", ll(n));
  T *upper = lower + n * n, *by_upper = upper + n * n, *by_lower = by_upper + n * n;
  FLOW_LAUNCH((unpack_lu<T>), blocks_for(n * n), block_threads, 0, of.lu, lower, upper, static_cast<double*>(nullptr));
  const FullPrecision full;
  if (!blas_gemm<T>(call, false, true, n, n, n, of.dw, of.dw_ld, upper, n, by_upper, n) ||
      !blas_gemm<T>(call, true, false, n, n, n, lower, n, of.dw, of.dw_ld, by_lower, n))
    return false;
  FLOW_LAUNCH((keep_triangles<T>), blocks_for(n * n), block_threads, 0, of, static_cast<const T*>(by_upper),
              static_cast<const T*>(by_lower));
  return launched(call);
}

bool lu_compose_grad(const Call& call) {
  if (!check_lu_compose_grad(call)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    using T = decltype(zero);
    return for_matrices<T, Differentiated<T>>(
        call, 6, lu_block_side,
        [&](int k, const LuFactors<T>& lu) {
          const Operand *in = call.in + 6 * k, *out = call.out + 2 * k;
          return Differentiated<T>{lu,       in[4].as<const T>(), out[0].as<T>(), out[1].as<T>(), in[5].as<const double>(),
                                   in[4].ld, out[0].ld};
        },
        [&](const LuTable<Differentiated<T>>& table, unsigned count, int64_t side) {
          const size_t bytes = static_cast<size_t>(2 * side * pitch_of(side)) * sizeof(T);
          FLOW_LAUNCH_WITH_SHARED(differentiate_list<T>, count, block_threads, bytes, table);
          return launched(call);
        },
        [&](const Differentiated<T>& of) { return differentiate_large<T>(call, of); });
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose_grad) = {"lu_compose_grad", lu_compose_grad, 6, 4096, -1, -1};

}  // namespace flow::cuda
