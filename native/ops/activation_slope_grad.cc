// activation_slope_grad: backward of activation_slope by y and slope together.
// in: z, beta or absent, dL_dy or absent, dL_dslope or absent; out, each perhaps absent: dL_dz, dL_dbeta [1]; attributes: kind.
// dL_dbeta: a sum in float64, a register's lanes down a task's rows, then the lanes, then the tasks, in order.
#include "ops/activation_slope.h"
#include "ops/log_det.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t task_rows = 32;

template <SmoothKind kind, class T>
void run(const Call& call, const Operand& z, T beta) {
  using V = Vec<T>;
  const Operand &dL_dy = call.in[2], &dL_dslope = call.in[3], &dL_dz = call.out[0], &dL_dbeta = call.out[1];
  const V b(beta);
  const int64_t tasks = ceil_div(z.rows, task_rows);
  double* partial = static_cast<double*>(scratch(static_cast<size_t>(max_of(1, tasks)) * sizeof(double), 4));
  const auto task_of = [&](int64_t task) {
    const int64_t last = min_of(z.rows, (task + 1) * task_rows);
    LogDetSum sum;
    for (int64_t r = task * task_rows; r < last; ++r) {
      for_lanes<V>(z.cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
        const SmoothParts<V> parts = smooth_parts<kind>(load_live(z.as<T>() + r * z.ld + c, live), b);
        const V by_y = dL_dy.absent() ? V(T(0)) : load_live(dL_dy.as<T>() + r * dL_dy.ld + c, live);
        const V by_slope = dL_dslope.absent() ? V(T(0)) : load_live(dL_dslope.as<T>() + r * dL_dslope.ld + c, live);
        if (!dL_dz.absent())
          store_live(dL_dz.as<T>() + r * dL_dz.ld + c, by_y * parts.slope + by_slope * parts.curvature, live);
        // The lanes that do not count have gradients of zero, and z = 0 there.
        if (kind == SmoothKind::lip_swish) sum.add(by_y * parts.value_by_beta + by_slope * parts.slope_by_beta);
      });
    }
    partial[task] = sum.total();
  };
  if (z.count() < 4096) {
    for (int64_t task = 0; task < tasks; ++task) task_of(task);
  } else {
    parallel(tasks, task_of);
  }
  if (dL_dbeta.absent()) return;
  double total = 0;
  for (int64_t task = 0; task < tasks; ++task) total += partial[task];
  *dL_dbeta.as<T>() = static_cast<T>(total);
}

bool activation_slope_grad(const Call& call) {
  const Operand &z = call.in[0], &beta = call.in[1], &dL_dbeta = call.out[1];
  if (!check_smooth(call, z, beta) || !check_smooth_like(call, call.in[2], "dL_dy", z) ||
      !check_smooth_like(call, call.in[3], "dL_dslope", z) || !check_smooth_like(call, call.out[0], "dL_dz", z))
    return false;
  FLOW_CHECK(call, dL_dbeta.absent() || (dL_dbeta.count() == 1 && dL_dbeta.dtype == z.dtype),
             "dL_dbeta: expected one number of the type of z");
  return with_float(call, z, "z", [&](auto zero) {
    using T = decltype(zero);
    const T b = beta.absent() ? T(1) : *beta.as<T>();
    with_smooth_kind(call, [&]<SmoothKind kind>() { run<kind, T>(call, z, b); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_slope_grad) = {"activation_slope_grad", activation_slope_grad, 4, 4, 2, 1};

}  // namespace flow::FLOW_ISA
