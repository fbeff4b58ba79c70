// monotone_grad: backward of monotone by its y and logDet together.
// in: x [N, D], params [N, D·P], dL_dy [N, D] or absent, dL_dlogDet [N] float64 or absent; out: dL_dx, dL_dparams.
// attributes: as monotone.
#include "ops/monotone.h"

namespace flow::FLOW_ISA {
namespace {

bool monotone_grad(const Call& call) {
  const Operand &x = call.in[0], &params = call.in[1], &dL_dy = call.in[2], &dL_dlogdet = call.in[3];
  const Operand &dL_dx = call.out[0], &dL_dparams = call.out[1];
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    using V = Vec<T>;
    return with_monotone<V>(call, 0, [&](const auto& family) {
      const int64_t P = family.params(), cols = x.cols;
      if (!check_monotone_grad(call, P)) return false;
      const VectorView<double> by_log_det = vector_view<double>(dL_dlogdet);
      const Numbers<T> numbers{cols, P};
      monotone_tasks<T>(x.rows, cols, P, 3, 2 * P + family.work(), [&](int64_t first, int64_t last, T* memory) {
        const Rows<V> raw{memory, V::width}, d_raw = raw.from(P), work = raw.from(2 * P);
        each_register<T>(first, last, cols, [&](int64_t e, int live) {
          numbers.load_params(params, e, live, memory);
          family.prepare(raw, work);
          const V at = numbers.load_some(x, e, live);
          family.value(raw, work, at);
          T by[V::width] = {};
          if (!dL_dlogdet.absent())
            for (int i = 0; i < live; ++i) by[i] = static_cast<T>(by_log_det[(e + i) / cols]);
          const V d_y = dL_dy.absent() ? V(T(0)) : numbers.load_some(dL_dy, e, live);
          numbers.store_some(dL_dx, e, family.grad(raw, work, at, d_y, load<V>(by), d_raw), live);
          numbers.store_params(dL_dparams, e, live, d_raw.p);
        });
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(monotone_grad) = {"monotone_grad", monotone_grad, 4, 4, 2, monotone_attributes};

}  // namespace flow::FLOW_ISA
