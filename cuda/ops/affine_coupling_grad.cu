// affine_coupling_grad: backward of affine_coupling by its y and logDet together.
// in: x, params, gain or absent, dL_dy or absent, dL_dlogDet or absent; out, each present or absent: dL_dx, dL_dparams,
// dL_dgain; attributes: cuda/ops/affine_coupling.h.
#include "cuda/ops/affine_coupling.h"

namespace flow::cuda {

FLOW_DEFINE_OP(affine_coupling_grad) = {"affine_coupling_grad", run_affine_coupling_grad<false>, 5, 5, 3, coupling_attributes};

}  // namespace flow::cuda
