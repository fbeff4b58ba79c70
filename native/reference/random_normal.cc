// random_normal: pairs √(−2 log u)·(cos 2πv, sin 2πv) of Box and Muller. Outputs: out, state.
// float32: u and v are made of a word each, u = (upper 31 bits)·2⁻³¹ + 2⁻³²; float64: of two each, u = uniform + 2⁻⁵⁴.
#include "reference/random.h"

namespace flow::reference {
namespace {

void uniforms(const Stream& stream, int64_t pair, float& u, float& v) {
  u = static_cast<float>(stream(static_cast<uint64_t>(pair / 2), static_cast<int>(2 * (pair % 2))) >> 1) * 0x1p-31f + 0x1p-32f;
  stream.uniform(2 * pair + 1, v);
}
void uniforms(const Stream& stream, int64_t pair, double& u, double& v) {
  stream.uniform(2 * pair, u);
  stream.uniform(2 * pair + 1, v);
  u += 0x1p-54;
}

}  // namespace

bool random_normal(const Call& call) {
  FLOW_AGREE(call, call.out[0].contiguous() && is_state(call.out[1]));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const Stream stream(call.out[1]);
    T* out = call.out[0].as<T>();
    for (int64_t i = 0; i < call.out[0].count(); ++i) {
      T u, v;
      uniforms(stream, i / 2, u, v);
      const double radius = std::sqrt(-2 * std::log(static_cast<double>(u)));
      const double angle = 6.283185307179586 * static_cast<double>(v);
      out[i] = static_cast<T>(radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
  });
}

}  // namespace flow::reference
