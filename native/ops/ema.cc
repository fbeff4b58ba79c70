// ema: shadow ← shadow + (1 − decay)·(value − shadow) for a list of tensors.
// in: decay (float64 scalar), skip (see adam) or absent, n values; out, in place: n shadows.
#include "ops/tensor_list.h"

namespace flow::FLOW_ISA {
namespace {

bool ema(const Call& call) {
  const int n = call.n_out;
  FLOW_CHECK(call, call.n_in == 2 + n, "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  const Operand* values = call.in + 2;
  const Operand* shadows = call.out;
  if (!check_scalar(call, call.in[0], "decay") || !check_skip(call, call.in[1]) || !check_float_list(call, "shadows", shadows, n) ||
      !check_list(call, "values", values, shadows, n))
    return false;
  if (skips(call.in[1])) return true;
  const double rate = 1 - *call.in[0].as<double>();
  TensorList(shadows, n, nullptr, values).run([&](int64_t, int i, int64_t row, int64_t col, int64_t count) {
    const auto go = [&](auto zero) FLOW_INLINE_LAMBDA {
      using T = decltype(zero);
      using V = Vec<T>;
      const T* value = values[i].as<T>() + row * values[i].ld + col;
      T* shadow = shadows[i].as<T>() + row * shadows[i].ld + col;
      const V part(static_cast<T>(rate));
      for_lanes<V>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
        const V s = load_live(shadow + k, live);
        store_live(shadow + k, fma(part, load_live(value + k, live) - s, s), live);
      });
    };
    if (shadows[i].dtype == DType::f32)
      go(float{});
    else
      go(double{});
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(ema) = {"ema", ema, 2, 4096, -1, 0};

}  // namespace flow::FLOW_ISA
