// autoregressive_affine_inverse_grad: backward of autoregressive_affine_inverse by its x and logDet together.
// in: params, y, dL_dx or absent, dL_dlogDet or absent; out: dL_dy, dL_dparams; attributes: scale map, bound.
#include "cuda/ops/autoregressive_affine.h"

namespace flow::cuda {

FLOW_DEFINE_OP(autoregressive_affine_inverse_grad) = {"autoregressive_affine_inverse_grad", run_autoregressive_affine_grad<true>, 4, 4, 2, 2};

}  // namespace flow::cuda
