// autoregressive_affine_inverse_grad: backward of autoregressive_affine_inverse by x and logDet. Attributes: scale map, bound.
#include "reference/autoregressive_affine.h"

namespace flow::reference {

bool autoregressive_affine_inverse_grad(const Call& call) { return affine_grad_loops(call, true); }

}  // namespace flow::reference
