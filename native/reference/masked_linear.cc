// masked_linear: y = act(x · (W ⊙ mask)ᵀ + bias + addend). Attributes: activation, its parameter.
#include "reference/linear.h"

namespace flow::reference {

bool masked_linear(const Call& call) { return linear_loops(call, &call.in[4]); }

}  // namespace flow::reference
