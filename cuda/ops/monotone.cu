// monotone: y = f(x; p), an increasing function of each number with parameters of its own, logDet = Σ log dy/dx in float64.
// in: x [N, D], params [N, D·P], those of x_i in the columns i·P …; out: y [N, D], logDet [N] float64.
// attributes: family, two sizes, bound, least slope: see core/monotone.h and math/monotone_*.h.
//
// Floor: the P parameters of each number, once, and some functions of each: these are the time. A thread a number.
#include "cuda/core/monotone.h"

namespace flow::cuda {
namespace {

template <class T, class Family>
__global__ void __launch_bounds__(block_threads, 1) evaluate(Family family, Numbers<T> numbers, Matrix<T> y, T* work, T* logs) {
  const Rows<T> own = own_rows(work);
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; e < numbers.count;
       e += static_cast<int64_t>(gridDim.x) * block_threads) {
    const Rows<T> raw = numbers.raw(e);
    family.prepare(raw, own);
    const Value<T> at = family.value(raw, own, numbers.at(e));
    *y.at(e / numbers.cols, e % numbers.cols) = at.y;
    logs[e] = at.log_slope;
  }
}

bool monotone(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &y = call.out[0];
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return with_monotone<T>(call, 0, [&](const auto& family) {
      using Family = std::remove_cvref_t<decltype(family)>;
      const int64_t P = family.params(), cols = x.cols, count = x.rows * cols;
      if (!check_monotone(call, "y", P)) return false;
      if (x.rows == 0) return true;
      MonotoneSpace<T> space;
      if (!space.make(call, family.work(), count, 1)) return false;
      const Numbers<T> numbers{count, cols, P, matrix<const T>(x), matrix<const T>(params)};
      if (count > 0)
        FLOW_LAUNCH((evaluate<T, Family>), space.blocks, block_threads, 0, family, numbers, matrix<T>(y), space.work, space.each);
      FLOW_LAUNCH((fold_logs<T>), warp_blocks(x.rows), block_threads, 0, x.rows, cols, static_cast<const T*>(space.each), 1.0,
                  vector<double>(call.out[1]));
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone) = {"monotone", monotone, 2, 2, 2, monotone_attributes};

}  // namespace flow::cuda
