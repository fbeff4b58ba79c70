// random_bernoulli: out = 1 where a uniform number in [0, 1) is below p, else 0, NaN where p is; in the type of p. Input: p, contiguous.
// Outputs: out, state (in place; random.h). The uniform numbers are those of random_uniform.
#include "ops/random.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
inline void compare(T* __restrict y, const T* u, const T* p, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = p[i] != p[i] ? p[i] : u[i] < p[i] ? T(1) : T(0);
}

template <class T>
bool run_type(const Call& call) {
  PhiloxKey key;
  if (!next_key(call, key)) return false;
  T* out = call.out[0].as<T>();
  const T* probability = call.in[0].as<T>();
  random_batches(key, call.in[0].count(), uniforms_per_block<T>, [&](const Words& words, int64_t first, int64_t n) {
    T u[philox_batch * uniforms_per_block<T>];
    uniforms(words, u);
    compare(out + first, u, probability + first, n);
  });
  return true;
}

bool random_bernoulli(const Call& call) {
  const Operand& p = call.in[0];
  FLOW_CHECK_SAME_SHAPE(call, call.out[0], p, "output");
  FLOW_CHECK_SAME_DTYPE(call, call.out[0], p, "output");
  FLOW_CHECK(call, p.contiguous(), "p: expected contiguous memory");
  return with_float(call, p, "p", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(random_bernoulli) = {"random_bernoulli", random_bernoulli, 1, 1, 2, 0};

}  // namespace flow::FLOW_ISA
