// random_uniform: out uniform in [0, 1); float32 has 24 random bits, float64 53. Outputs: out, state (in place; cuda/core/random.h).
// Element i is made of block i/4, word i mod 4 (float32), or of block i/2, words 2(i mod 2) and the next (float64).
#include "cuda/core/random.h"

namespace flow::cuda {
namespace {

template <class T>
struct Uniform {
  __device__ __forceinline__ void operator()(uint32_t a, uint32_t b, uint32_t c, uint32_t d, int64_t, int64_t,
                                             T (&numbers)[numbers_per_block<T>]) const {
    uniforms(a, b, c, d, numbers);
  }
};

bool random_uniform(const Call& call) {
  return with_float(call, call.out[0], "output", [&](auto zero) { return draw<decltype(zero)>(call, Uniform<decltype(zero)>{}); });
}

}  // namespace

FLOW_DEFINE_OP(random_uniform) = {"random_uniform", random_uniform, 0, 0, 2, 0};

}  // namespace flow::cuda
