// monotone: y = f(x; p), an increasing function of each number with parameters of its own, logDet = Σ log dy/dx in float64.
// in: x [N, D], params [N, D·P], those of x_i in the columns i·P …; out: y [N, D], logDet [N] float64.
// attributes: family, two sizes, bound, least slope: see ops/monotone.h and math/monotone_*.h.
#include "ops/monotone.h"

namespace flow::FLOW_ISA {
namespace {

bool monotone(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &y = call.out[0];
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_monotone<V>(call, 0, [&](const auto& family) {
      const int64_t P = family.params(), cols = x.cols;
      if (!check_monotone(call, "y", P)) return false;
      const VectorView<double> sums = vector_view<double>(call.out[1]);
      const Numbers<T> numbers{cols, P};
      monotone_tasks<T>(x.rows, cols, P, 1, P + family.work(), [&](int64_t first, int64_t last, T* memory) {
        const Rows<V> raw{memory, V::width}, work = raw.from(P);
        for (int64_t n = first; n < last; ++n) sums[n] = 0;
        each_register<T>(first, last, cols, [&](int64_t e, int live) {
          numbers.load_params(params, e, live, memory);
          family.prepare(raw, work);
          const Value<V> at = family.value(raw, work, numbers.load_some(x, e, live));
          numbers.store_some(y, e, at.y, live);
          T logs[V::width];
          store(logs, at.log_slope);
          for (int i = 0; i < live; ++i) sums[(e + i) / cols] += static_cast<double>(logs[i]);
        });
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone) = {"monotone", monotone, 2, 2, 2, monotone_attributes};

}  // namespace flow::FLOW_ISA
