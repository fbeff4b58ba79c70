// lu_compose: the matrices W of their triangles, all of a model in one call; see core/lu.h.
// in: for each matrix factors [C, C], log_scale [C], sign [C] (both or neither), rows [C] int32 or absent; out: for each w [C, C] and
// log_det (float64, one number: log|det W| = Σ log_scale) or absent; attributes: the form of each. One dtype, any sizes.
//
// Floor: factors and W once, 2/3·C³ operations. One launch for all up to 64 channels (for some fifty: 4 KB of arguments), a block each: the
// factors in shared memory, a thread an element of W, which stops at the nearer diagonal. Beyond, one for the triangles and a product by
// cuBLAS each, or one alone where there is one triangle.
#include "cuda/core/lu_list.h"

namespace flow::cuda {
namespace {

template <class T>
struct Composed {
  LuFactors<T> lu;
  T* w;
  int64_t ld;
  double* log_det;
};

template <class T>
__global__ void __launch_bounds__(block_threads) compose_list(const LuTable<Composed<T>> table) {
  FLOW_SHARED(memory);
  const LuFactors<T> lu = table.entry[blockIdx.x].lu;
  T* const w = table.entry[blockIdx.x].w;
  const int64_t ld = table.entry[blockIdx.x].ld;
  const int n = static_cast<int>(lu.n);
  T* const f = reinterpret_cast<T*>(memory);
  int* const place = reinterpret_cast<int*>(f + n * n);  // the row of the product that is row r of W; −1: none, of what is no permutation
  load_factors(lu, f, n);
  for (int r = static_cast<int>(threadIdx.x); r < n; r += block_threads) {
    int own = lu.rows ? -1 : r;
    for (int i = 0; i < n && own < 0; ++i) own = lu.row(i) == r ? i : -1;
    place[r] = own;
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < n * n; e += block_threads) {
    const int r = e / n, c = e % n, i = place[r];
    T value = static_cast<T>(NAN);
    if (i >= 0) {
      // L has ones on its diagonal; U's is s.
      const bool other = c < i ? lu.form != LuForm::lower : c > i && lu.form == LuForm::lower;
      value = other ? T(0) : f[i * n + c];
      const int end = lu.form != LuForm::lu ? 0 : c < i ? c + 1 : i;
      for (int k = 0; k < end; ++k) value += f[i * n + k] * f[k * n + c];
    }
    w[r * ld + c] = value;
  }
  write_lu_log_det(lu, table.entry[blockIdx.x].log_det);
}

template <class T>
__global__ void __launch_bounds__(block_threads) one_triangle(LuFactors<T> lu, T* w, int64_t ld, double* log_det) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, c = e % lu.n;
    w[lu.row(i) * ld + c] = lu.form == LuForm::lower ? lu.lower(i, c) : lu.upper(i, c);
  }
  if (blockIdx.x == 0) write_lu_log_det(lu, log_det);
}

template <class T>
bool compose_large(const Call& call, const Composed<T>& of) {
  const int64_t n = of.lu.n;
  if (of.lu.form != LuForm::lu) {
    FLOW_LAUNCH((one_triangle<T>), blocks_for(n * n), block_threads, 0, of.lu, of.w, of.ld, of.log_det);
    return launched(call);
  }
  T* lower = static_cast<T*>(workspace(static_cast<size_t>(2 * n * n) * sizeof(T)));
  if (!lower) return call.fail("the GPU has no memory for two triangles of %lld channels", ll(n));
  T* upper = lower + n * n;
  FLOW_LAUNCH((unpack_lu<T>), blocks_for(n * n), block_threads, 0, of.lu, lower, upper, of.log_det);
  const FullPrecision full;
  return blas_gemm<T>(call, false, false, n, n, n, lower, n, upper, n, of.w, of.ld);
}

bool lu_compose(const Call& call) {
  if (!check_lu_compose(call)) return false;
  return with_float(call, call.in[0], "factors", [&](auto zero) {
    using T = decltype(zero);
    return for_matrices<T, Composed<T>>(
        call, 4, lu_block_side,
        [&](int k, const LuFactors<T>& lu) {
          const Operand* out = call.out + 2 * k;
          return Composed<T>{lu, out[0].as<T>(), out[0].ld, out[1].as<double>()};
        },
        [&](const LuTable<Composed<T>>& table, unsigned count, int64_t side) {
          const size_t bytes = static_cast<size_t>(side * side) * sizeof(T) + static_cast<size_t>(side) * sizeof(int);
          FLOW_LAUNCH((compose_list<T>), count, block_threads, bytes, table);
          return launched(call);
        },
        [&](const Composed<T>& of) { return compose_large<T>(call, of); });
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose) = {"lu_compose", lu_compose, 4, 4096, -1, -1};

}  // namespace flow::cuda
