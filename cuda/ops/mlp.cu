// mlp: a whole network of linear layers; see core/mlp.h.
// in: x, addend or absent, then (weight, bias or absent, extents or absent) a layer; out: the values of each layer, first to
// last; attributes: activation, its parameter.
//
// Floor: that of each layer. A launch a layer, bias, addend and activation in it: what one layer writes is still in L2 for the next.
#include "cuda/core/mlp.h"

namespace flow::cuda {
namespace {

bool mlp(const Call& call) {
  MlpNetwork net{};
  const Operand &x = call.in[0], &addend = call.in[1];
  if (!read_activation(call, 0, net.act, net.act_param)) return false;
  FLOW_CHECK(call, call.n_out >= 1 && call.n_out <= max_layers && call.n_in == 2 + 3 * call.n_out,
             "operands: expected 2 + 3 a layer in and 1 a layer out, 1 to %d layers, got %d and %d", static_cast<int>(max_layers),
             call.n_in, call.n_out);
  net.rows = x.rows;
  net.dtype = x.dtype;
  for (int l = 0; l < call.n_out; ++l) {
    const Operand* in = call.in + 2 + 3 * l;
    if (!read_layer(call, net, in[0], in[2])) return false;
    if (!in[1].absent() && !check_shape(call, in[1], "bias", 1, in[0].rows, x.dtype)) return false;
    if (!check_shape(call, call.out[l], "output", x.rows, in[0].rows, x.dtype)) return false;
  }
  if (!check_shape(call, x, "x", x.rows, net.layer[0].inputs, x.dtype)) return false;
  if (!addend.absent() && !check_shape(call, addend, "addend", x.rows, net.layer[0].units, x.dtype)) return false;
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
