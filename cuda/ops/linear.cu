// linear: y = act(x · Wᵀ + bias + addend), W [units, inputs] dense.
// in: x, weight, bias or absent, addend or absent; out: y; attributes: activation, its parameter.
//
// Floor: 2·rows·units·inputs operations; x, W, the addend and y once. One launch where it is small, else cuBLAS and a pass over y.
#include "cuda/core/affine.h"

namespace flow::cuda {
namespace {

bool linear(const Call& call) {
  return run_linear(call, call.in[0], call.in[1], call.in[2], call.in[3], nullptr, call.out[0]);
}

}  // namespace

FLOW_DEFINE_OP(linear) = {"linear", linear, 4, 4, 1, 2};

}  // namespace flow::cuda
