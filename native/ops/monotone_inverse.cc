// monotone_inverse: x with f(x; p) = y, every number of the batch at once, by Newton's method in a bracket (math/solve.h).
// in: y [N, D], params [N, D·P]; out: x [N, D], logDet [N] float64 = Σ log dx/dy = −Σ log f′(x), and of each sample: iterations
// [N] int32 (the most of its numbers), residual [N] float64 (the largest), converged [N] int32 (1 where all are).
// attributes: as monotone.
#include "ops/monotone_solve.h"

namespace flow::FLOW_ISA {
namespace {

bool monotone_inverse(const Call& call) {
  const Operand &y = call.in[0], &params = call.in[1], &x = call.out[0];
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_monotone<V>(call, 0, [&](const auto& family) {
      const int64_t P = family.params(), cols = y.cols;
      SolveOutputs report;
      if (!check_monotone(call, "x", P) || !read_report(call, 2, y.rows, report)) return false;
      const VectorView<double> sums = vector_view<double>(call.out[1]);
      const Numbers<T> numbers{cols, P};
      monotone_tasks<T>(y.rows, cols, P, 10, P + family.work(), [&](int64_t first, int64_t last, T* memory) {
        const Rows<V> raw{memory, V::width}, work = raw.from(P);
        for (int64_t n = first; n < last; ++n) {
          sums[n] = 0;
          report.start(n);
        }
        each_register<T>(first, last, cols, [&](int64_t e, int live) {
          numbers.load_params(params, e, live, memory);
          const Root<V> root = solve_monotone(family, raw, work, numbers.load_some(y, e, live));
          numbers.store_some(x, e, root.x, live);
          T logs[V::width], iterations[V::width], residual[V::width];
          store(logs, root.log_slope);
          store(iterations, root.iterations);
          store(residual, root.residual);
          for (int i = 0; i < live; ++i) {
            const int64_t n = (e + i) / cols;
            sums[n] -= static_cast<double>(logs[i]);
            report.add(n, iterations[i], residual[i]);
          }
        });
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone_inverse) = {"monotone_inverse", monotone_inverse, 2, 2, 5, monotone_attributes};

}  // namespace flow::FLOW_ISA
