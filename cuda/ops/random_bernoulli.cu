// random_bernoulli: out = 1 where a uniform number in [0, 1) is below p, else 0, NaN where p is; in the type of p. Input: p, contiguous.
// Outputs: out, state (in place; cuda/core/random.h). The uniform numbers are those of random_uniform.
#include "cuda/core/random.h"

namespace flow::cuda {
namespace {

template <class T>
struct Bernoulli {
  const T* p;
  bool wide;  // p is aligned to 16 bytes

  __device__ __forceinline__ void operator()(uint32_t a, uint32_t b, uint32_t c, uint32_t d, int64_t first, int64_t count,
                                             T (&numbers)[numbers_per_block<T>]) const {
    constexpr int n = numbers_per_block<T>;
    T u[n], chance[n] = {};
    uniforms(a, b, c, d, u);
    if (wide && first + n <= count) {
      load<n>(chance, p + first);
    } else {
#pragma unroll
      for (int k = 0; k < n; ++k)
        if (first + k < count) chance[k] = p[first + k];
    }
#pragma unroll
    for (int k = 0; k < n; ++k) numbers[k] = chance[k] != chance[k] ? chance[k] : u[k] < chance[k] ? T(1) : T(0);
  }
};

bool random_bernoulli(const Call& call) {
  const Operand& p = call.in[0];
  FLOW_CHECK_SAME_SHAPE(call, call.out[0], p, "output");
  FLOW_CHECK_SAME_DTYPE(call, call.out[0], p, "output");
  FLOW_CHECK(call, p.contiguous(), "p: expected contiguous memory");
  return with_float(call, p, "p", [&](auto zero) {
    using T = decltype(zero);
    return draw<T>(call, Bernoulli<T>{p.as<const T>(), reinterpret_cast<uintptr_t>(p.data) % 16 == 0});
  });
}

}  // namespace

FLOW_DEFINE_OP(random_bernoulli) = {"random_bernoulli", random_bernoulli, 1, 1, 2, 0};

}  // namespace flow::cuda
