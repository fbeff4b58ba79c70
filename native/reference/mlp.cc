// mlp: a network of linear layers. in: x, addend, (weight, bias, extents) a layer; out: the values of each layer.
#include "reference/mlp.h"

namespace flow::reference {

bool mlp(const Call& call) {
  FLOW_AGREE(call, is_activation(call.attr[0]) && call.n_out >= 1 && call.n_in == 2 + 3 * call.n_out);
  for (int l = 0; l < call.n_out; ++l) {
    const Operand *layer = call.in + 2 + 3 * l, &from = l == 0 ? call.in[0] : call.out[l - 1];
    FLOW_AGREE(call, is_layer(layer[0], layer[2], from.cols, call.in[0].dtype));
    FLOW_AGREE(call, layer[1].absent() || is(layer[1], 1, layer[0].rows, from.dtype));
    FLOW_AGREE(call, is(call.out[l], from.rows, layer[0].rows, from.dtype));
  }
  const Operand& addend = call.in[1];
  FLOW_AGREE(call, addend.absent() || like(addend, call.out[0]));
  const Activation act = static_cast<Activation>(call.int_attr(0));
  return for_float(call, call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int l = 0; l < call.n_out; ++l) {
      const Operand* layer = call.in + 2 + 3 * l;
      const Matrix<T> h(l == 0 ? call.in[0] : call.out[l - 1]), weight(layer[0]), out(call.out[l]), plus(addend);
      for (int64_t r = 0; r < out.rows; ++r) {
        for (int64_t o = 0; o < out.cols; ++o) {
          double sum = layer[1].absent() ? 0 : static_cast<double>(Vector<T>(layer[1])(o));
          if (l == 0 && !addend.absent()) sum += static_cast<double>(plus(r, o));
          for (int64_t i = 0; i < h.cols; ++i)
            if (sees(layer[2], o, i)) sum += static_cast<double>(h(r, i)) * static_cast<double>(weight(o, i));
          out(r, o) = static_cast<T>(l + 1 < call.n_out ? activate(act, sum, call.attr[1]) : sum);
        }
      }
    }
  });
}

}  // namespace flow::reference
