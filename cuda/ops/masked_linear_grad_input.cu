// masked_linear_grad_input: dL_dx [rows, inputs] = dL_dy [rows, units] · (W ⊙ mask).
// in: dL_dy, weight, extents; out: dL_dx.
//
// Floor: 2·rows·Σ extents operations; dL_dy and dL_dx once. A tile of 64 inputs begins with the first unit that sees one of them; large
// layers are strips of cuBLAS's, core/strips.h.
#include "cuda/core/linear.h"

namespace flow::cuda {
namespace {

bool masked_linear_grad_input(const Call& call) {
  const Operand &dL_dy = call.in[0], &weight = call.in[1], &extents = call.in[2], &dL_dx = call.out[0];
  const int64_t rows = dL_dy.rows, units = weight.rows, inputs = weight.cols;
  if (!check_shape(call, dL_dy, "dL_dy", rows, units, dL_dy.dtype) || !check_shape(call, weight, "weight", units, inputs, dL_dy.dtype) ||
      !check_shape(call, dL_dx, "dL_dx", rows, inputs, dL_dy.dtype) || !check_extents(call, extents, units, inputs))
    return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    Epilogue<T> epilogue{dL_dx.as<T>(), dL_dx.ld};
    return linear_grad_input<T>(call, dL_dy, weight, &extents, epilogue.settle());
  });
}

}  // namespace

FLOW_DEFINE_OP(masked_linear_grad_input) = {"masked_linear_grad_input", masked_linear_grad_input, 3, 3, 1, 0};

}  // namespace flow::cuda
