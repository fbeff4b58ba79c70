// random_uniform: out uniform in [0, 1). Outputs: out, state.
#include "reference/random.h"

namespace flow::reference {

bool random_uniform(const Call& call) {
  FLOW_AGREE(call, call.out[0].contiguous() && is_state(call.out[1]));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    const Stream stream(call.out[1]);
    auto* out = call.out[0].as<decltype(zero)>();
    for (int64_t i = 0; i < call.out[0].count(); ++i) stream.uniform(i, out[i]);
  });
}

}  // namespace flow::reference
