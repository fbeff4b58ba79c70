// autoregressive_affine_grad: backward of autoregressive_affine by y and logDet. Attributes: scale map, bound.
#include "reference/autoregressive_affine.h"

namespace flow::reference {

bool autoregressive_affine_grad(const Call& call) { return affine_grad_loops(call, false); }

}  // namespace flow::reference
