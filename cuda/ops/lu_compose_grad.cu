// lu_compose_grad: backward of lu_compose. With G = P'·dL_dW and Ũ = U + diag(s):
//   dL_dL = (G·Ũ') below the diagonal, dL_dU = (L'·G) above it, dL_dlog_scale = diag(L'·G)·s
// in: factors, log_scale, sign, rows or absent, dL_dW; out: dL_dfactors (its diagonal is 0), dL_dlog_scale; attributes: form.
//
// Floor: factors, dL_dW and dL_dfactors once, 4/3·C³ operations. A launch a product; tiles on the other side of the diagonal end at once.
#include "cuda/core/lu.h"

namespace flow::cuda {
namespace {

/** (i, k) of G, and of G'. */
template <class T>
struct GradRows {
  static constexpr bool deep = true;
  using Row = const T*;
  using Depth = int64_t;
  LuFactors<T> lu;
  const T* dw;
  int64_t ld;
  __device__ __forceinline__ Row row(int64_t, int64_t i) const { return dw + lu.row(i) * ld; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return k; }
  __device__ __forceinline__ T load(Row row, Depth k) const { return row[k]; }
};
template <class T>
struct GradColumns {
  static constexpr bool deep = false;
  using Row = int64_t;
  using Depth = const T*;
  LuFactors<T> lu;
  const T* dw;
  int64_t ld;
  __device__ __forceinline__ Row row(int64_t, int64_t j) const { return j; }
  __device__ __forceinline__ Depth depth(int64_t k) const { return dw + lu.row(k) * ld; }
  __device__ __forceinline__ T load(Row j, Depth p) const { return p[j]; }
};

struct FromColumn {
  int64_t n;
  __device__ __forceinline__ Span operator()(int64_t, int64_t i0, int64_t j0, void*) const {
    return {j0, i0 + tile_side - 1 > j0 ? n : j0};
  }
};
struct FromRow {
  int64_t n;
  __device__ __forceinline__ Span operator()(int64_t, int64_t i0, int64_t j0, void*) const {
    return {i0, j0 + tile_side - 1 >= i0 ? n : i0};
  }
};

template <class T>
struct BelowDiagonal {
  T* out;
  int64_t ld;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (c < live && j + c < i) out[i * ld + j + c] = v[c];
  }
};
template <class T>
struct FromDiagonal {
  LuFactors<T> lu;
  T* out;
  int64_t ld;
  T* scale;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      if (c >= live || j + c < i) continue;
      if (j + c == i) scale[i] = static_cast<T>(static_cast<double>(v[c]) * lu.diagonal(i));
      out[i * ld + j + c] = j + c == i ? T(0) : v[c];
    }
  }
};

template <class T>
__global__ void __launch_bounds__(block_threads) one_triangle_grad(LuFactors<T> lu, const T* dw, int64_t dw_ld, T* out, int64_t ld, T* scale) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, c = e % lu.n;
    const T d = dw[lu.row(i) * dw_ld + c];
    out[i * ld + c] = (lu.form == LuForm::lower ? c < i : c > i) ? d : T(0);
    if (c == i) scale[i] = static_cast<T>(static_cast<double>(d) * lu.diagonal(i));
  }
}

bool lu_compose_grad(const Call& call) {
  LuOperands operands;
  if (!read_lu(call, 0, operands)) return false;
  FLOW_CHECK(call, !operands.log_scale->absent(), "log_scale: expected one, got none");
  const DType type = operands.factors->dtype;
  if (!check_shape(call, call.in[4], "dL_dW", operands.n, operands.n, type) ||
      !check_shape(call, call.out[0], "dL_dfactors", operands.n, operands.n, type) ||
      !check_vector(call, call.out[1], "dL_dlog_scale", operands.n, type))
    return false;
  return with_float(call, *operands.factors, "factors", [&](auto zero) {
    using T = decltype(zero);
    const LuFactors<T> lu = operands.in_kernel<T>();
    const T* dw = call.in[4].as<const T>();
    const int64_t dw_ld = call.in[4].ld, ld = call.out[0].ld;
    T *out = call.out[0].as<T>(), *scale = call.out[1].as<T>();
    if (lu.form != LuForm::lu) {
      FLOW_LAUNCH((one_triangle_grad<T>), blocks_for(lu.n * lu.n), block_threads, 0, lu, dw, dw_ld, out, ld, scale);
      return launched(call);
    }
    const ProductShape shape{lu.n, lu.n, lu.n};
    return product<T>(call, shape, GradRows<T>{lu, dw, dw_ld}, UpperByRows<T>{lu}, FromColumn{lu.n}, BelowDiagonal<T>{out, ld}) &&
           product<T>(call, shape, LowerByColumns<T>{lu}, GradColumns<T>{lu, dw, dw_ld}, FromRow{lu.n},
                      FromDiagonal<T>{lu, out, ld, scale});
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose_grad) = {"lu_compose_grad", lu_compose_grad, 5, 5, 2, 1};

}  // namespace flow::cuda
