// linear: y = act(x · Wᵀ + bias + addend). Attributes: activation, its parameter.
#include "reference/linear.h"

namespace flow::reference {

bool linear(const Call& call) { return linear_loops(call, nullptr); }

}  // namespace flow::reference
