// random_uniform: out uniform in [0, 1); float32 has 24 random bits, float64 53. Outputs: out, state (in place; random.h).
// Element i is made of block i/4, word i mod 4 (float32), or of block i/2, words 2(i mod 2) and the next (float64).
#include "ops/random.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call) {
  PhiloxKey key;
  if (!next_key(call, key)) return false;
  T* out = call.out[0].as<T>();
  constexpr int64_t batch = philox_batch * uniforms_per_block<T>;
  random_batches(key, call.out[0].count(), uniforms_per_block<T>, [&](const Words& words, int64_t first, int64_t n) {
    if (n == batch) return uniforms(words, out + first);
    T values[batch];
    uniforms(words, values);
    for (int64_t i = 0; i < n; ++i) out[first + i] = values[i];
  });
  return true;
}

bool random_uniform(const Call& call) {
  return with_float(call, call.out[0], "output", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(random_uniform) = {"random_uniform", random_uniform, 0, 0, 2, 0};

}  // namespace flow::FLOW_ISA
