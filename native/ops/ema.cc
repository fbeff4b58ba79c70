// ema: shadow ← shadow + (1 − decay)·(value − shadow) for a list of tensors.
// in: decay (float64 scalar), skip (see adam) or absent, n values; out, in place: n shadows.
#include "ops/optimizer_operands.h"
#include "ops/tensor_list.h"

namespace flow::FLOW_ISA {
namespace {

bool ema(const Call& call) {
  EmaOperands of{};
  if (!read_ema(call, of)) return false;
  if (skips(*of.skip)) return true;
  const double rate = 1 - *of.decay->as<double>();
  TensorList(of.shadows, of.n, nullptr, of.values).run_typed([&](auto zero, int, int64_t count, const auto& at) FLOW_INLINE_LAMBDA {
    using T = decltype(zero);
    using V = Vec<T>;
    const T* value = at(of.values);
    T* shadow = at(of.shadows);
    const V part(static_cast<T>(rate));
    for_lanes<V>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
      const V s = load_live(shadow + k, live);
      store_live(shadow + k, fma(part, load_live(value + k, live) - s, s), live);
    });
  });
  return true;
}

}  // namespace

FLOW_DEFINE_OP(ema) = {"ema", ema, 2, 4096, -1, 0};

}  // namespace flow::FLOW_ISA
