// activation_slope: y = f(z) and the slope f′(z) in one pass. in: z, beta [1] (absent but for lip_swish); out, each perhaps
// absent: y, slope; attributes: kind (native/math/activation_slope.h).
#include "ops/activation_slope.h"

namespace flow::FLOW_ISA {
namespace {

template <SmoothKind kind, class T>
void run(const Operand& z, T beta, const Operand& y, const Operand& slope) {
  const Vec<T> b(beta);
  parallel_rows(z.rows, z.cols * 4 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* from = z.as<T>() + r * z.ld;
      T* value = y.absent() ? nullptr : y.as<T>() + r * y.ld;
      T* d = slope.absent() ? nullptr : slope.as<T>() + r * slope.ld;
      for_lanes<Vec<T>>(z.cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
        const SmoothParts<Vec<T>> parts = smooth_parts<kind>(load_live(from + c, live), b);
        if (value) store_live(value + c, parts.value, live);
        if (d) store_live(d + c, parts.slope, live);
      });
    }
  });
}

bool activation_slope(const Call& call) {
  const Operand &z = call.in[0], &beta = call.in[1], &y = call.out[0], &slope = call.out[1];
  if (!check_smooth(call, z, beta) || !check_smooth_like(call, y, "y", z) || !check_smooth_like(call, slope, "slope", z))
    return false;
  return with_float(call, z, "z", [&](auto zero) {
    using T = decltype(zero);
    const T b = beta.absent() ? T(1) : *beta.as<T>();
    with_smooth_kind(call, [&]<SmoothKind kind>() { run<kind, T>(z, b, y, slope); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_slope) = {"activation_slope", activation_slope, 2, 2, 2, 1};

}  // namespace flow::FLOW_ISA
