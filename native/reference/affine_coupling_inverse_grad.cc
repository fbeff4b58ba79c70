// affine_coupling_inverse_grad: backward of affine_coupling_inverse by x and logDet.
#include "reference/affine_coupling.h"

namespace flow::reference {

bool affine_coupling_inverse_grad(const Call& call) { return coupling_grad_loops(call, true); }

}  // namespace flow::reference
