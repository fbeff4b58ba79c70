// autoregressive_affine_grad: backward of autoregressive_affine by its y and logDet together.
// in: params, y, dL_dy or absent, dL_dlogDet or absent; out: dL_dx, dL_dparams; attributes: scale map, bound.
#include "cuda/ops/autoregressive_affine.h"

namespace flow::cuda {

FLOW_DEFINE_OP(autoregressive_affine_grad) = {"autoregressive_affine_grad", run_autoregressive_affine_grad<false>, 4, 4, 2, 2};

}  // namespace flow::cuda
