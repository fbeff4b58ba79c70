// y = act(x·Wᵀ + bias + addend) as an op: checks and call of core/linear.h.
#pragma once
#include "cuda/core/linear.h"

namespace flow::cuda {

/** `extents` null: a dense weight. */
inline bool run_linear(const Call& call, const Operand& x, const Operand& weight, const Operand& bias, const Operand& addend,
                       const Operand* extents, const Operand& y) {
  Activation act = Activation::none;
  double param = 0;
  if (!read_activation(call, 0, act, param)) return false;
  const int64_t rows = x.rows, units = weight.rows, inputs = weight.cols;
  if (!check_shape(call, x, "x", rows, inputs, x.dtype) || !check_shape(call, weight, "weight", units, inputs, x.dtype) ||
      !check_shape(call, y, "y", rows, units, x.dtype))
    return false;
  if (!bias.absent() && !check_shape(call, bias, "bias", 1, units, x.dtype)) return false;
  if (!addend.absent() && !check_shape(call, addend, "addend", rows, units, x.dtype)) return false;
  if (extents && !check_extents(call, *extents, units, inputs)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return linear_forward<T>(call, x, weight, extents, affine_epilogue<T>(y, bias, &addend, act, param));
  });
}

}  // namespace flow::cuda
