// grad_norm: √Σ g² over all elements of a list of tensors, accumulated in float64 in a fixed order.
// in: n tensors, each float32 or float64 (absent ones count as zero); out: one float64.
#include "ops/tensor_list.h"

namespace flow::FLOW_ISA {
namespace {

FLOW_INLINE double sum_of_squares(const float* x, int64_t count) {
  Vec<double> s0(0.0), s1(0.0);
  for_lanes<Vec<float>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    Vec<double> low, high;
    widen(load_live(x + i, live), low, high);
    s0 = fma(low, low, s0);
    s1 = fma(high, high, s1);
  });
  return horizontal_sum(s0 + s1);
}
FLOW_INLINE double sum_of_squares(const double* x, int64_t count) {
  Vec<double> s(0.0);
  for_lanes<Vec<double>>(count, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    const Vec<double> v = load_live(x + i, live);
    s = fma(v, v, s);
  });
  return horizontal_sum(s);
}

bool grad_norm(const Call& call) {
  for (int i = 0; i < call.n_in; ++i)
    if (!call.in[i].absent() && !check_float_list(call, "gradients", call.in + i, 1)) return false;
  if (!check_number(call, call.out[0], "norm")) return false;
  const TensorList list(call.in, call.n_in, nullptr);
  double* partial = static_cast<double*>(scratch(static_cast<size_t>(list.tasks() + 1) * sizeof(double), 5));
  for (int64_t task = 0; task < list.tasks(); ++task) partial[task] = 0;
  list.run([&](int64_t task, int i, int64_t row, int64_t col, int64_t count) {
    const Operand& g = call.in[i];
    if (g.absent()) return;
    partial[task] += g.dtype == DType::f32 ? sum_of_squares(g.as<float>() + row * g.ld + col, count)
                                           : sum_of_squares(g.as<double>() + row * g.ld + col, count);
  });
  double total = 0;
  for (int64_t task = 0; task < list.tasks(); ++task) total += partial[task];
  *call.out[0].as<double>() = sqrt(total);
  return true;
}

}  // namespace

FLOW_DEFINE_OP(grad_norm) = {"grad_norm", grad_norm, 0, 4096, 1, 0};

}  // namespace flow::FLOW_ISA
