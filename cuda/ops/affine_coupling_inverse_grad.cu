// affine_coupling_inverse_grad: backward of affine_coupling_inverse by its x and logDet together.
// in: x (its output), params, gain or absent, dL_dx or absent, dL_dlogDet or absent; out, each present or absent: dL_dy,
// dL_dparams, dL_dgain; attributes: cuda/ops/affine_coupling.h.
#include "cuda/ops/affine_coupling.h"

namespace flow::cuda {

FLOW_DEFINE_OP(affine_coupling_inverse_grad) = {"affine_coupling_inverse_grad", run_affine_coupling_grad<true>, 5, 5, 3, coupling_attributes};

}  // namespace flow::cuda
