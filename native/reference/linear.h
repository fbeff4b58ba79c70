// The loops of linear and masked_linear.
#pragma once
#include "reference/activation.h"

namespace flow::reference {

// y[r, o] = act(Σ_i x[r, i]·w[o, i] + bias[o] + addend[r, o]), the sum over i < extents[o] where there are extents.
inline bool linear_loops(const Call& call, const Operand* extents) {
  const Operand &x = call.in[0], &w = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  FLOW_AGREE(call, is_activation(call.attr[0]) && w.cols == x.cols && w.dtype == x.dtype);
  FLOW_AGREE(call, is(y, x.rows, w.rows, x.dtype) && (bias.absent() || is(bias, 1, w.rows, x.dtype)));
  FLOW_AGREE(call, addend.absent() || like(addend, y));
  FLOW_AGREE(call, !extents || are_indices(*extents, w.rows, w.cols));
  const Activation act = static_cast<Activation>(call.int_attr(0));
  const double param = call.attr[1];
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> in(x), weight(w), out(y), plus(addend);
    for (int64_t r = 0; r < out.rows; ++r) {
      for (int64_t o = 0; o < out.cols; ++o) {
        const int64_t extent = extents ? Vector<int32_t>(*extents)(o) : in.cols;
        double sum = 0;
        for (int64_t i = 0; i < in.cols; ++i)
          if (i < extent) sum += static_cast<double>(in(r, i)) * static_cast<double>(weight(o, i));
        if (!bias.absent()) sum += static_cast<double>(Vector<T>(bias)(o));
        if (!addend.absent()) sum += static_cast<double>(plus(r, o));
        out(r, o) = static_cast<T>(activate(act, sum, param));
      }
    }
  });
}

}  // namespace flow::reference
