// sylvester: the triangular residual map of a Sylvester flow and its inverse; see math/sylvester.h. in: v [N, M] (inverse: y), params
// [N, M² + 3·M] or one row; out: y (inverse: v), logDet [N] float64; inverse only, each may be absent: iterations [N] int32, residual [N]
// float64, converged [N] int32. attributes: inverse.
//
// Floor: the params once, M² numbers a sample. A thread a sample: M is small, its rows wait for each other in the inverse, and the params of a
// sample come through its cache lines one after another.
#include "cuda/ops/sylvester.h"

namespace flow::cuda {
namespace {

struct Report {
  Vector<int32_t> iterations;
  Vector<double> residual;
  Vector<int32_t> converged;
};

template <bool inverse, class T>
__global__ void __launch_bounds__(block_threads)
map_samples(SylvesterLayout at, Matrix<const T> in, Matrix<const T> params, bool one_row, int64_t samples, Matrix<T> out,
            Vector<double> log_dets, Report report, T tolerance, T* memory) {
  for (int64_t n = thread_index(); n < samples; n += thread_count()) {
    const GivenNumbers<T> p{params.at(one_row ? 0 : n, 0)}, from{in.at(n, 0)};
    const ThreadRows<T> t{memory + thread_index(), thread_count()}, to{t.p + at.m * t.step, t.step};
    double log_det = 0;
    const auto sum = [&](T term) { log_det += static_cast<double>(term); };
    T iterations(0), residual(0);
    if constexpr (inverse)
      sylvester_inverse<T>(at, p, from, t, to, sum, tolerance, 200, iterations, residual);
    else
      sylvester_forward<T>(at, p, from, t, to, sum);
    bool number = true;
    for (int64_t k = 0; k < at.m; ++k) {
      const T x = to.get(k);
      *out.at(n, k) = x;
      number = number && x == x;
    }
    *log_dets.at(n) = inverse ? 0.0 - log_det : log_det;
    if constexpr (inverse) {
      if (report.iterations.p) *report.iterations.at(n) = static_cast<int32_t>(iterations);
      if (report.residual.p) *report.residual.at(n) = number ? static_cast<double>(residual) : static_cast<double>(NAN);
      if (report.converged.p) *report.converged.at(n) = number && residual <= tolerance;
    }
  }
}

bool sylvester(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1];
  const bool inverse = call.attr[0] != 0;
  if (!check_sylvester(call)) return false;
  Report report{};
  if (inverse) report = {vector<int32_t>(call.out[2]), vector<double>(call.out[3]), vector<int32_t>(call.out[4])};
  return with_float(call, in, "v", [&](auto zero) {
    using T = decltype(zero);
    if (in.rows == 0) return true;
    const SylvesterLayout at{in.cols};
    const unsigned blocks = blocks_for(in.rows);
    const int64_t threads = static_cast<int64_t>(blocks) * block_threads;
    T* memory = static_cast<T*>(workspace(static_cast<size_t>(2 * at.m * threads) * sizeof(T)));
    if (!memory) return call.fail("the GPU has no memory for the rows of %lld samples", ll(threads));
    const T tolerance = sizeof(T) == 4 ? T(8 * 1.1920929e-07) : T(8 * 2.220446049250313e-16);
    if (inverse)
      FLOW_LAUNCH((map_samples<true, T>), blocks, block_threads, 0, at, matrix<const T>(in), matrix<const T>(params), params.rows == 1,
                  in.rows, matrix<T>(call.out[0]), vector<double>(call.out[1]), report, tolerance, memory);
    else
      FLOW_LAUNCH((map_samples<false, T>), blocks, block_threads, 0, at, matrix<const T>(in), matrix<const T>(params), params.rows == 1,
                  in.rows, matrix<T>(call.out[0]), vector<double>(call.out[1]), report, tolerance, memory);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(sylvester) = {"sylvester", sylvester, 2, 2, -1, 1};

}  // namespace flow::cuda
