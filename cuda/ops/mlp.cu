// mlp: a whole network of linear layers; see native/ops/mlp_operands.h.
// in: x, addend or absent, then (weight, bias or absent, extents or absent) a layer; out: the values of each layer, first to
// last; attributes: activation, its parameter.
//
// Floor: that of each layer. A launch a layer, bias, addend and activation in it: what one layer writes is still in L2 for the next.
#include "cuda/core/linear.h"
// After the checks that it calls.
#include "ops/mlp_operands.h"

namespace flow::cuda {
namespace {

bool mlp(const Call& call) {
  const Operand &x = call.in[0], &addend = call.in[1];
  MlpNetwork net{};
  if (!read_mlp(call, net)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    for (int64_t l = 0; l < net.layers; ++l) {
      const bool last = l + 1 == net.layers;
      const Epilogue<T> epilogue = affine_epilogue<T>(call.out[l], call.in[3 + 3 * l], l == 0 ? &addend : nullptr,
                                                      last ? Activation::none : net.act, last ? 0 : net.act_param);
      if (!linear_forward<T>(call, l == 0 ? x : call.out[l - 1], *net.layer[l].weight, net.layer[l].extents, epilogue)) return false;
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(mlp) = {"mlp", mlp, 5, 2 + 3 * max_layers, -1, 2};

}  // namespace flow::cuda
