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
      const Operand& y = call.out[l];
      Epilogue<T> epilogue{y.as<T>(), y.ld};
      epilogue.bias = call.in[3 + 3 * l].as<const T>();
      if (l == 0) {
        epilogue.addend = addend.as<const T>();
        epilogue.addend_ld = addend.ld;
      }
      if (l + 1 < net.layers) {
        epilogue.act = net.act;
        epilogue.act_param = static_cast<T>(net.act_param);
      }
      if (!linear_forward<T>(call, l == 0 ? x : call.out[l - 1], *net.layer[l].weight, net.layer[l].extents, epilogue.settle()))
        return false;
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(mlp) = {"mlp", mlp, 5, 2 + 3 * max_layers, -1, 2};

}  // namespace flow::cuda
