// random_bernoulli: out = u < p, u the numbers of random_uniform. Input: p. Outputs: out, state.
#include "reference/random.h"

namespace flow::reference {

bool random_bernoulli(const Call& call) {
  const Operand &p = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, p.contiguous() && out.contiguous() && like(out, p) && is_state(call.out[1]));
  return for_float(call, p.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Stream stream(call.out[1]);
    for (int64_t i = 0; i < p.count(); ++i) {
      T u;
      stream.uniform(i, u);
      const T probability = p.as<T>()[i];
      out.as<T>()[i] = std::isnan(probability) ? probability : u < probability ? 1 : 0;
    }
  });
}

}  // namespace flow::reference
