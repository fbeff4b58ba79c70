// The layers of mlp and mlp_grad: h_l = act(h_(l−1)·W_lᵀ + b_l (+ addend in the first)), the last one without activation.
#pragma once
#include <vector>

#include "reference/activation.h"

namespace flow::reference {

// Whether unit o of a layer sees input i.
inline bool sees(const Operand& extents, int64_t o, int64_t i) {
  return extents.absent() || i < Vector<int32_t>(extents)(o);
}

inline bool is_layer(const Operand& weight, const Operand& extents, int64_t inputs, DType dtype) {
  return weight.cols == inputs && weight.dtype == dtype &&
         (extents.absent() || are_indices(extents, weight.rows, weight.cols));
}

}  // namespace flow::reference
