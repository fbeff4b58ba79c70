// masked_linear: y = act(x · (W ⊙ mask)ᵀ + bias + addend), where unit o sees the inputs i < extents[o].
// in: x, weight, bias or absent, addend or absent, extents; out: y; attributes: activation, its parameter.
#include "ops/linear.h"

namespace flow::FLOW_ISA {
namespace {

bool masked_linear(const Call& call) {
  return run_linear(call, call.in[0], call.in[1], call.in[2], call.in[3], &call.in[4], call.out[0]);
}

}  // namespace

FLOW_DEFINE_OP(masked_linear) = {"masked_linear", masked_linear, 5, 5, 1, 2};

}  // namespace flow::FLOW_ISA
