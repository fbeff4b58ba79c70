// affine_coupling_grad: backward of affine_coupling by y and logDet.
#include "reference/affine_coupling.h"

namespace flow::reference {

bool affine_coupling_grad(const Call& call) { return coupling_grad_loops(call, false); }

}  // namespace flow::reference
