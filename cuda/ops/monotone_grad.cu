// monotone_grad: backward of monotone by its y and logDet together.
// in: x [N, D], params [N, D·P], dL_dy [N, D] or absent, dL_dlogDet [N] float64 or absent; out: dL_dx, dL_dparams.
// attributes: as monotone.
//
// Floor: the P parameters of each number read and their gradients written, once. A thread a number.
#include "cuda/core/monotone.h"

namespace flow::cuda {
namespace {

template <class T, class Family>
__global__ void __launch_bounds__(block_threads, 1)
    send_back(Family family, Numbers<T> numbers, Matrix<const T> dL_dy, Vector<const double> dL_dlogdet, Matrix<T> dL_dx,
              Matrix<T> dL_dparams, T* work) {
  const Rows<T> own = own_rows(work);
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; e < numbers.count;
       e += static_cast<int64_t>(gridDim.x) * block_threads) {
    const int64_t n = e / numbers.cols, i = e % numbers.cols;
    const Rows<T> raw = numbers.raw(e), d_raw{dL_dparams.at(n, i * numbers.params), 1};
    const T x = numbers.at(e);
    family.prepare(raw, own);
    family.value(raw, own, x);
    const T d_y = dL_dy.p ? *dL_dy.at(n, i) : T(0);
    const T d_log = dL_dlogdet.p ? static_cast<T>(*dL_dlogdet.at(n)) : T(0);
    *dL_dx.at(n, i) = family.grad(raw, own, x, d_y, d_log, d_raw);
  }
}

bool monotone_grad(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &dL_dy = call.in[2], &dL_dlogdet = call.in[3];
  const Operand &dL_dx = call.out[0], &dL_dparams = call.out[1];
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return with_monotone<T>(call, 0, [&](const auto& family) {
      using Family = std::remove_cvref_t<decltype(family)>;
      const int64_t P = family.params(), cols = x.cols, count = x.rows * cols;
      if (!check_monotone_grad(call, P)) return false;
      if (count == 0) return true;
      MonotoneSpace<T> space;
      if (!space.make(call, family.work(), count, 0)) return false;
      const Numbers<T> numbers{count, cols, P, matrix<const T>(x), matrix<const T>(params)};
      FLOW_LAUNCH((send_back<T, Family>), space.blocks, block_threads, 0, family, numbers, matrix<const T>(dL_dy),
                  vector<const double>(dL_dlogdet), matrix<T>(dL_dx), matrix<T>(dL_dparams), space.work);
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone_grad) = {"monotone_grad", monotone_grad, 4, 4, 2, monotone_attributes};

}  // namespace flow::cuda
