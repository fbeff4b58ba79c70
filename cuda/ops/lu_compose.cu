// lu_compose: W of its triangles; see core/lu.h.
// in: factors [C, C], log_scale [C], sign [C] (both or neither), rows [C] int32 or absent; out: w; attributes: form.
//
// Floor: factors and W once, 2/3·C³ operations. One launch: the triangles are read where they lie, a tile stops at the nearer diagonal.
#include "cuda/core/lu.h"

namespace flow::cuda {
namespace {

struct BeforeBoth {
  int64_t n;
  __device__ __forceinline__ Span operator()(int64_t, int64_t i0, int64_t j0, void*) const {
    const int64_t end = (i0 < j0 ? i0 : j0) + tile_side;
    return {0, end < n ? end : n};
  }
};

template <class T>
struct PermutedRows {
  LuFactors<T> lu;
  T* w;
  int64_t ld;
  __device__ __forceinline__ void operator()(int64_t, int64_t i, int64_t j, int live, T (&v)[4]) const {
    T* to = w + lu.row(i) * ld + j;
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (c < live) to[c] = v[c];
  }
};

template <class T>
__global__ void __launch_bounds__(block_threads) one_triangle(LuFactors<T> lu, T* w, int64_t ld) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; e < lu.n * lu.n; e += stride) {
    const int64_t i = e / lu.n, c = e % lu.n;
    w[lu.row(i) * ld + c] = lu.form == LuForm::lower ? lu.lower(i, c) : lu.upper(i, c);
  }
}

bool lu_compose(const Call& call) {
  LuOperands operands;
  if (!read_lu(call, 0, operands) || !check_shape(call, call.out[0], "w", operands.n, operands.n, operands.factors->dtype)) return false;
  return with_float(call, *operands.factors, "factors", [&](auto zero) {
    using T = decltype(zero);
    const Operand& w = call.out[0];
    const LuFactors<T> lu = operands.in_kernel<T>();
    if (lu.form == LuForm::lu)
      return product<T>(call, {lu.n, lu.n, lu.n}, LowerByRows<T>{lu}, UpperByColumns<T>{lu}, BeforeBoth{lu.n},
                        PermutedRows<T>{lu, w.as<T>(), w.ld});
    FLOW_LAUNCH((one_triangle<T>), blocks_for(lu.n * lu.n), block_threads, 0, lu, w.as<T>(), w.ld);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_compose) = {"lu_compose", lu_compose, 4, 4, 1, 1};

}  // namespace flow::cuda
