// random_normal: out standard normal by Box and Muller: √(−2 log u)·(cos 2πv, sin 2πv), u in (0, 1], v in [0, 1).
// Outputs: out, state (in place; cuda/core/random.h). Of the pairs that a block makes (float32 two: words 0, 1 and 2, 3; float64
// one) the cosine is the element before the sine. |value| ≤ 6.7 in float32, 8.7 in float64.
#include "cuda/core/random.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

template <class T>
__device__ __forceinline__ void box_muller(T u, T v, T& first, T& second) {
  const T radius = sqrt(T(-2) * log(u));
  T sine, cosine;
  sincos_2pi(v, sine, cosine);
  first = radius * cosine;
  second = radius * sine;
}

template <class T>
struct Normal {
  __device__ __forceinline__ void operator()(uint32_t a, uint32_t b, uint32_t c, uint32_t d, int64_t, int64_t,
                                             T (&numbers)[numbers_per_block<T>]) const {
    if constexpr (sizeof(T) == 4) {
      box_muller(positive_uniform_of(a), uniform_of(b), numbers[0], numbers[1]);
      box_muller(positive_uniform_of(c), uniform_of(d), numbers[2], numbers[3]);
    } else {
      box_muller(positive_uniform_of(a, b), uniform_of(c, d), numbers[0], numbers[1]);
    }
  }
};

bool random_normal(const Call& call) {
  return with_float(call, call.out[0], "output", [&](auto zero) { return draw<decltype(zero)>(call, Normal<decltype(zero)>{}); });
}

}  // namespace

FLOW_DEFINE_OP(random_normal) = {"random_normal", random_normal, 0, 0, 2, 0};

}  // namespace flow::cuda
