// monotone_inverse: x with f(x; p) = y, every number of the batch at once, by Newton's method in a bracket (math/solve.h).
// in: y [N, D], params [N, D·P]; out: x [N, D], logDet [N] float64 = Σ log dx/dy = −Σ log f′(x), and of each sample: iterations
// [N] int32 (the most of its numbers), residual [N] float64 (the largest), converged [N] int32 (1 where all are).
// attributes: as monotone.
//
// Floor: an evaluation of f an iteration, some five to ten; a warp takes as many as its slowest number. A thread a number, a warp a
// sample for its sums.
#include "cuda/core/monotone.h"

namespace flow::cuda {
namespace {

/** each: logs, iterations, residuals, [count] each. */
template <class T, class Family>
__global__ void __launch_bounds__(block_threads, 1) solve(Family family, Numbers<T> numbers, Matrix<T> x, T* work, T* each) {
  const Rows<T> own = own_rows(work);
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; e < numbers.count;
       e += static_cast<int64_t>(gridDim.x) * block_threads) {
    const Rows<T> raw = numbers.raw(e);
    const T y = numbers.at(e);
    family.prepare(raw, own);
    T low, high, start;
    family.bracket(raw, own, y, low, high, start);
    const Root<T> root = solve_increasing<T>(y, low, high, start, [&](T at) { return family.value(raw, own, at); });
    *x.at(e / numbers.cols, e % numbers.cols) = root.x;
    each[e] = root.log_slope;
    each[numbers.count + e] = root.iterations;
    each[2 * numbers.count + e] = root.residual;
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    report(int64_t samples, int64_t cols, const T* each, Vector<int32_t> iterations, Vector<double> residual, Vector<int32_t> converged) {
  const int64_t n = (static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x) / warp_threads;
  if (n >= samples) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  T most = 0, worst = 0;
  for (int64_t i = lane; i < cols; i += warp_threads) {
    const int64_t e = n * cols + i;
    most = max(most, each[samples * cols + e]);
    worst = MaxNan{}(worst, each[2 * samples * cols + e]);
  }
  most = warp_fold(most, MaxNan{});
  worst = warp_fold(worst, MaxNan{});
  if (lane != 0) return;
  *iterations.at(n) = static_cast<int32_t>(most);
  *residual.at(n) = static_cast<double>(worst);
  *converged.at(n) = worst <= solved_to<T> ? 1 : 0;
}

bool monotone_inverse(const Call& call) {
  const Operand &y = call.in[0], &params = call.in[1], &x = call.out[0];
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    return with_monotone<T>(call, 0, [&](const auto& family) {
      using Family = std::remove_cvref_t<decltype(family)>;
      const int64_t P = family.params(), cols = y.cols, count = y.rows * cols;
      if (!check_monotone(call, "x", P) || !check_report(call, 2, y.rows)) return false;
      if (y.rows == 0) return true;
      MonotoneSpace<T> space;
      if (!space.make(call, family.work(), count, 3)) return false;
      const Numbers<T> numbers{count, cols, P, matrix<const T>(y), matrix<const T>(params)};
      if (count > 0)
        FLOW_LAUNCH((solve<T, Family>), space.blocks, block_threads, 0, family, numbers, matrix<T>(x), space.work, space.each);
      const T* each = space.each;
      FLOW_LAUNCH((fold_logs<T>), warp_blocks(y.rows), block_threads, 0, y.rows, cols, each, -1.0, vector<double>(call.out[1]));
      FLOW_LAUNCH((report<T>), warp_blocks(y.rows), block_threads, 0, y.rows, cols, each, vector<int32_t>(call.out[2]),
                  vector<double>(call.out[3]), vector<int32_t>(call.out[4]));
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone_inverse) = {"monotone_inverse", monotone_inverse, 2, 2, 5, monotone_attributes};

}  // namespace flow::cuda
