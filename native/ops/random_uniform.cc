// random_uniform: out uniform in [0, 1); float32 has 24 random bits, float64 53. Outputs: out, state (in place; random.h).
// Element i is made of block i/4, word i mod 4 (float32), or of block i/2, words 2(i mod 2) and the next (float64).
#include "ops/random.h"

namespace flow::FLOW_ISA {
namespace {

bool random_uniform(const Call& call) {
  return fill_random(call, [](const Words& words, auto* target) { uniforms(words, target); });
}

}  // namespace

FLOW_DEFINE_OP(random_uniform) = {"random_uniform", random_uniform, 0, 0, 2, 0};

}  // namespace flow::FLOW_ISA
