// masked_linear: y = act(x · (W ⊙ mask)ᵀ + bias + addend), where unit o sees the inputs i < extents[o].
// in: x, weight, bias or absent, addend or absent, extents; out: y; attributes: activation, its parameter.
//
// Floor: 2·rows·Σ extents operations; x, the addend and y once, the staircase of W. One launch: each tile of 64 units is as deep as the
// most that one of them sees, so with sorted extents about half of the dense product and 32 rows of the staircase are computed. Large layers:
// strips of cuBLAS's, core/strips.h.
#include "cuda/core/affine.h"

namespace flow::cuda {
namespace {

bool masked_linear(const Call& call) {
  return run_linear(call, call.in[0], call.in[1], call.in[2], call.in[3], &call.in[4], call.out[0]);
}

}  // namespace

FLOW_DEFINE_OP(masked_linear) = {"masked_linear", masked_linear, 5, 5, 1, 2};

}  // namespace flow::cuda
