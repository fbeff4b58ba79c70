// Ops on a list of tensors: every element of a tensor, one after the other.
#pragma once
#include "reference/reference.h"

namespace flow::reference {

inline bool is_float(const Operand& o) { return o.dtype == DType::f32 || o.dtype == DType::f64; }

// body(T{}, r, c) for the elements of a float tensor; only c < extents[r] where there are extents.
template <class F>
void for_elements(const Operand& tensor, const Operand* extents, const F& body) {
  for (int64_t r = 0; r < tensor.rows; ++r) {
    for (int64_t c = 0; c < tensor.cols; ++c) {
      if (extents && !extents->absent() && c >= Vector<int32_t>(*extents)(r)) continue;
      if (tensor.dtype == DType::f32) body(float{}, r, c);
      else body(double{}, r, c);
    }
  }
}

// skip: absent, or an int32 that is not below 0 where nothing is to be changed.
inline bool is_skip(const Operand& skip) { return skip.absent() || (skip.dtype == DType::i32 && skip.count() == 1); }
inline bool skips(const Operand& skip) { return !skip.absent() && *skip.as<int32_t>() >= 0; }

// min(1, max_norm/(norm + 1e-6)), as torch.nn.utils.clip_grad_norm_.
inline double clip_factor_of(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

}  // namespace flow::reference
